// The tree of roles: what each subtree holds, and the order in which roles are offered resources:
// at every level the smallest weighted dominant share first (hierarchical DRF).

export type Quantities = ReadonlyMap<string, number>;

interface Node {
  readonly path: string;
  readonly children: Map<string, Node>;
  /** Held by the role itself and by everything below it. */
  readonly held: Map<string, number>;
  /** Held through the role itself: competes with the children as one more of them. */
  readonly own: Map<string, number>;
  frameworks: number;
}

function newNode(path: string): Node {
  return { path, children: new Map(), held: new Map(), own: new Map(), frameworks: 0 };
}

export function dominantShare(held: Quantities, totals: Quantities, weight: number): number {
  let share = 0;
  for (const [name, amount] of held) {
    const total = totals.get(name) ?? 0;
    if (total > 0) share = Math.max(share, amount / total);
  }
  return share / weight;
}

export class RoleTree {
  readonly #root = newNode('');
  readonly #weights = new Map<string, number>();

  setWeight(role: string, weight: number): void {
    this.#weights.set(role, weight);
  }

  /** Only those that were set. */
  weights(): { role: string; weight: number }[] {
    return [...this.#weights].map(([role, weight]) => ({ role, weight }));
  }

  weight(role: string): number {
    return this.#weights.get(role) ?? 1;
  }

  /** A framework began (+1) or ceased (-1) to be offered resources for the role. */
  countFrameworks(role: string, change: number): void {
    for (const node of this.#path(role)) node.frameworks += change;
    this.#prune(role);
  }

  hold(role: string, quantities: Quantities, sign: 1 | -1): void {
    const path = this.#path(role);
    for (const [name, amount] of quantities) {
      for (const node of path) add(node.held, name, sign * amount);
      const last = path.at(-1);
      if (last !== undefined) add(last.own, name, sign * amount);
    }
    if (sign === -1) this.#prune(role);
  }

  held(role: string): Quantities {
    return this.#path(role).at(-1)?.held ?? new Map();
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

  /** Roles in the order in which they are to be offered resources. */
  order(totals: Quantities): string[] {
    const found: string[] = [];
    const visit = (node: Node): void => {
      const entries: { share: number; path: string; node: Node | undefined }[] = [];
      for (const child of node.children.values()) {
        const share = dominantShare(child.held, totals, this.weight(child.path));
        entries.push({ share, path: child.path, node: child });
      }
      if (node.children.size === 0) {
        found.push(node.path);
        return;
      }
      if (node.path !== '') {
        // Mesos' virtual leaf: the role itself beside its children.
        entries.push({
          share: dominantShare(node.own, totals, 1),
          path: node.path,
          node: undefined,
        });
      }
      entries.sort((a, b) => a.share - b.share || (a.path < b.path ? -1 : 1));
      for (const entry of entries) {
        if (entry.node === undefined) found.push(entry.path);
        else visit(entry.node);
      }
    };
    visit(this.#root);
    return found.filter((path) => path !== '');
  }

  #path(role: string): Node[] {
    const nodes: Node[] = [this.#root];
    let node = this.#root;
    let path = '';
    for (const part of role.split('/')) {
      path = path === '' ? part : `${path}/${part}`;
      let child = node.children.get(part);
      if (child === undefined) {
        child = newNode(path);
        node.children.set(part, child);
      }
      node = child;
      nodes.push(node);
    }
    return nodes;
  }

  /** Drops nodes that no framework and no allocation needs. */
  #prune(role: string): void {
    const path = this.#path(role);
    for (let depth = path.length - 1; depth > 0; depth--) {
      const node = path[depth];
      const name = node?.path.split('/').at(-1) ?? '';
      if (node === undefined || node.frameworks > 0 || node.children.size > 0) return;
      if ([...node.held.values()].some((amount) => amount > 0)) return;
      path[depth - 1]?.children.delete(name);
    }
  }
}

function add(amounts: Map<string, number>, name: string, amount: number): void {
  const sum = (amounts.get(name) ?? 0) + amount;
  if (sum === 0) amounts.delete(name);
  else amounts.set(name, sum);
}
