// The tree of roles: what each subtree holds, and the order in which roles and their frameworks are
// offered resources: at every level the smallest weighted dominant share first (hierarchical DRF).
// Kept sorted as shares change, so that looking costs nothing and a change costs one re-insertion.

export type Quantities = ReadonlyMap<string, number>;

/** A place in the order of its siblings. */
interface Ranked {
  readonly path: string;
  /** Thousandths of each scalar that it (and what is below it) holds. */
  readonly held: Map<string, number>;
  share: number;
  /** How often it was given something: among equals the one with less goes first. */
  count: number;
}

/** One framework in one role. */
export interface Client extends Ranked {
  readonly frameworkId: string;
  readonly role: string;
}

/** The frameworks of one role; a sibling of the role's children (Mesos' virtual leaf). */
interface Leaf extends Ranked {
  readonly kind: 'leaf';
  readonly clients: Client[];
}

interface Node extends Ranked {
  readonly kind: 'node';
  readonly name: string;
  readonly parent: Node | undefined;
  readonly children: Map<string, Node>;
  readonly order: (Node | Leaf)[];
  /** Held through the role itself: what its leaf holds, also before it has one. */
  readonly own: Map<string, number>;
  leaf: Leaf | undefined;
  /** Of the role and everything below it. */
  clientCount: number;
}

export function dominantShare(held: Quantities, totals: Quantities, weight: number): number {
  let share = 0;
  for (const [name, amount] of held) {
    const total = totals.get(name) ?? 0;
    if (total > 0) share = Math.max(share, amount / total);
  }
  return share / weight;
}

function comesBefore(a: Ranked, b: Ranked): boolean {
  if (a.share !== b.share) return a.share < b.share;
  return a.count === b.count ? a.path < b.path : a.count < b.count;
}

function insertSorted<T extends Ranked>(list: T[], one: T): void {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (comesBefore(list[middle] as T, one)) low = middle + 1;
    else high = middle;
  }
  list.splice(low, 0, one);
}

function removeFrom<T>(list: T[], one: T): boolean {
  const at = list.indexOf(one);
  if (at >= 0) list.splice(at, 1);
  return at >= 0;
}

function addTo(amounts: Map<string, number>, quantities: Quantities, sign: 1 | -1): void {
  for (const [name, amount] of quantities) {
    const sum = (amounts.get(name) ?? 0) + sign * amount;
    if (sum === 0) amounts.delete(name);
    else amounts.set(name, sum);
  }
}

function newNode(path: string, name: string, parent: Node | undefined): Node {
  const ranked = { path, held: new Map<string, number>(), share: 0, count: 0 };
  const tree = { name, parent, children: new Map<string, Node>(), order: [] };
  return { kind: 'node', ...ranked, ...tree, own: new Map(), leaf: undefined, clientCount: 0 };
}

export class RoleTree {
  readonly #root = newNode('', '', undefined);
  readonly #weights = new Map<string, number>();
  readonly #totals: Quantities;
  /** The totals changed: every share has to be computed anew before the next look. */
  #isStale = false;

  constructor(totals: Quantities) {
    this.#totals = totals;
  }

  totalsChanged(): void {
    this.#isStale = true;
  }

  setWeight(role: string, weight: number): void {
    this.#weights.set(role, weight);
    this.#isStale = true;
  }

  /** Only those that were set. */
  weights(): { role: string; weight: number }[] {
    return [...this.#weights].map(([role, weight]) => ({ role, weight }));
  }

  weight(role: string): number {
    return this.#weights.get(role) ?? 1;
  }

  /** The client is offered resources from now on. */
  activate(client: Client): void {
    const node = this.#node(client.role);
    if (node.leaf === undefined) {
      const path = `${node.path}/.`;
      node.leaf = { kind: 'leaf', path, held: node.own, share: 0, count: 0, clients: [] };
      node.order.push(node.leaf);
      this.#isStale = true;
    }
    client.share = dominantShare(client.held, this.#totals, 1);
    insertSorted(node.leaf.clients, client);
    for (let one: Node | undefined = node; one !== undefined; one = one.parent) one.clientCount++;
  }

  deactivate(client: Client): void {
    const node = this.#node(client.role);
    if (node.leaf === undefined || !removeFrom(node.leaf.clients, client)) return;
    for (let one: Node | undefined = node; one !== undefined; one = one.parent) one.clientCount--;
    this.#prune(node);
  }

  /** What a client (undefined: one that is gone) of the role holds grows or shrinks. */
  hold(role: string, client: Client | undefined, quantities: Quantities, sign: 1 | -1): void {
    const node = this.#node(role);
    if (client !== undefined) {
      addTo(client.held, quantities, sign);
      if (sign === 1) client.count++;
      this.#reorder(node.leaf?.clients, client, 1);
    }
    addTo(node.own, quantities, sign);
    if (node.leaf !== undefined) {
      if (sign === 1) node.leaf.count++;
      this.#reorder(node.order, node.leaf, 1);
    }
    for (let one = node; one.parent !== undefined; one = one.parent) {
      addTo(one.held, quantities, sign);
      if (sign === 1) one.count++;
      this.#reorder(one.parent.order, one, this.weight(one.path));
    }
    if (sign === -1) this.#prune(node);
  }

  held(role: string): Quantities {
    return this.#node(role).held;
  }

  roles(): string[] {
    const found: string[] = [];
    const visit = (node: Node): void => {
      for (const child of node.children.values()) {
        found.push(child.path);
        visit(child);
      }
    };
    visit(this.#root);
    return found;
  }

  /** Visits the active clients in order until `visit` returns false. Nothing may change meanwhile. */
  walk(visit: (client: Client) => boolean): void {
    if (this.#isStale) this.#refresh();
    const walkNode = (node: Node): boolean => {
      for (const entry of node.order) {
        if (entry.kind === 'node') {
          if (entry.clientCount > 0 && !walkNode(entry)) return false;
        } else {
          for (const client of entry.clients) if (!visit(client)) return false;
        }
      }
      return true;
    };
    walkNode(this.#root);
  }

  #reorder<T extends Ranked>(siblings: T[] | undefined, one: T, weight: number): void {
    const share = dominantShare(one.held, this.#totals, weight);
    if (siblings === undefined || !removeFrom(siblings, one)) {
      one.share = share;
      return;
    }
    one.share = share;
    insertSorted(siblings, one);
  }

  #refresh(): void {
    this.#isStale = false;
    const compare = (a: Ranked, b: Ranked): number => (comesBefore(a, b) ? -1 : 1);
    const visit = (node: Node): void => {
      node.share = dominantShare(node.held, this.#totals, this.weight(node.path));
      if (node.leaf !== undefined) {
        const { leaf } = node;
        leaf.share = dominantShare(leaf.held, this.#totals, 1);
        for (const client of leaf.clients) {
          client.share = dominantShare(client.held, this.#totals, 1);
        }
        leaf.clients.sort(compare);
      }
      for (const child of node.children.values()) visit(child);
      node.order.sort(compare);
    };
    visit(this.#root);
  }

  #node(role: string): Node {
    let node = this.#root;
    for (const name of role.split('/')) {
      let child = node.children.get(name);
      if (child === undefined) {
        child = newNode(node.path === '' ? name : `${node.path}/${name}`, name, node);
        node.children.set(name, child);
        insertSorted(node.order, child);
      }
      node = child;
    }
    return node;
  }

  /** Drops nodes that no framework and no allocation needs. */
  #prune(from: Node): void {
    let node = from;
    while (node.parent !== undefined) {
      if (node.clientCount > 0 || node.children.size > 0 || node.held.size > 0) return;
      node.parent.children.delete(node.name);
      removeFrom(node.parent.order, node);
      node = node.parent;
    }
  }
}
