// The tree of roles: what each subtree holds and is entitled to, and the order in which roles and
// their frameworks are offered resources: at every level the smallest weighted dominant share first
// (hierarchical DRF). Kept sorted as shares change, so that looking costs nothing.
import {
  comesBefore,
  insert,
  leavesOf,
  LiftedPlaces,
  move,
  remove,
  resort,
  shuffle,
  walkNode,
  whereIs,
  type Client,
  type Holding,
  type Leaf,
  type OrderOptions,
  type Quota,
  type Ranked,
  type RoleNode,
} from './role-order.ts';
import { Amounts, Rows, type Quantities, type ScalarNames } from './rows.ts';

const nothing = new Amounts();

export class RoleTree {
  readonly #names: ScalarNames;
  readonly #rows: Rows;
  readonly #byPath = new Map<string, RoleNode>();
  readonly #weights = new Map<string, number>();
  readonly #quotas = new Map<string, Quota>();
  readonly #excluded: ReadonlySet<string>;
  #excludedMarks = new Uint8Array();
  readonly #options: OrderOptions;
  readonly #totals: number;
  readonly root: RoleNode;
  /** The totals or weights changed: shares have to be computed anew before the next look. */
  #isStale = false;
  readonly #lifted = new LiftedPlaces(
    (row, weight) => this.#shareOf(row, weight),
    (siblings, one) => this.#insert(siblings, one),
  );
  /** What limited roles hold is not fully known: until it is, they are given nothing more. */
  #isAwaiting = false;
  /** Called with each active client that may be given more than before, because of a quota. */
  onRoom: (client: Client) => void = () => {};

  constructor(names: ScalarNames, options: OrderOptions = {}) {
    this.#names = names;
    this.#rows = new Rows(names);
    this.#excluded = new Set(options.excludedNames);
    this.#options = options;
    this.#totals = this.#rows.make();
    this.root = this.#makeNode('', '', undefined);
  }

  // ---- totals, weights, quotas ----

  addTotal(amounts: Amounts, sign: 1 | -1): void {
    this.#rows.add(this.#totals, amounts, sign);
    this.#isStale = true;
  }

  totals(): Map<string, number> {
    return this.#rows.toMap(this.#totals);
  }

  setWeight(role: string, weight: number): void {
    this.#weights.set(role, weight);
    const node = this.#byPath.get(role);
    if (node !== undefined) node.weight = weight;
    this.#isStale = true;
  }

  /** Only those that were set. */
  weights(): { role: string; weight: number }[] {
    return [...this.#weights].map(([role, weight]) => ({ role, weight }));
  }

  weight(role: string): number {
    return this.#weights.get(role) ?? 1;
  }

  quota(role: string): Quota | undefined {
    return this.#quotas.get(role);
  }

  awaitReturns(isAwaiting: boolean): void {
    if (this.#isAwaiting === isAwaiting) return;
    this.#isAwaiting = isAwaiting;
    if (!isAwaiting) for (const node of this.#byPath.values()) this.#room(node);
  }

  get hasQuotas(): boolean {
    return this.#quotas.size > 0;
  }

  /** Undefined: none. */
  setQuota(role: string, quota: Quota | undefined): void {
    const node = this.node(role);
    const before = this.#quotas.has(role) ? 1 : 0;
    if (quota === undefined) this.#quotas.delete(role);
    else this.#quotas.set(role, quota);
    const change = (quota === undefined ? 0 : 1) - before;
    for (let one = node.parent; one !== undefined; one = one.parent) one.quotasBelow += change;
    node.guarantees = quota === undefined ? nothing : Amounts.of(quota.guarantees, this.#names);
    node.limits = quota === undefined ? nothing : limitAmounts(quota.limits, this.#names);
    for (let column = 0; column < this.#names.names.length; column++) this.#require(node, column);
    this.#room(node);
    this.#prune(node);
  }

  // ---- clients ----

  /** A place for one framework in one role; not active yet. */
  makeClient(role: string, frameworkId: string): Client {
    const node = this.node(role);
    node.clientCount++;
    const ranked = { share: 0, weight: 1, count: 0, shared: undefined, isLifted: false };
    return { path: frameworkId, frameworkId, role, node, held: this.#rows.make(), ...ranked };
  }

  /** It is not active and holds nothing. */
  dropClient(client: Client): void {
    client.node.clientCount--;
    this.#rows.drop(client.held);
    this.#prune(client.node);
  }

  holdsNothing(client: Client): boolean {
    return this.#rows.isZero(client.held);
  }

  /** The client is offered resources from now on. */
  activate(client: Client): void {
    const { node } = client;
    const { leaf } = node;
    this.#lifted.putBack();
    if (leaf.clients.length === 0) {
      leaf.share = this.#shareOf(leaf.held, 1);
      this.#insert(node.order, leaf);
    }
    client.share = this.#shareOf(client.held, 1);
    this.#insert(leaf.clients, client);
    for (let one: RoleNode | undefined = node; one !== undefined; one = one.parent) {
      one.activeCount++;
    }
  }

  deactivate(client: Client): void {
    const { node } = client;
    const { leaf } = node;
    this.#lifted.putBack();
    if (!remove(leaf.clients, client)) return;
    if (leaf.clients.length === 0) remove(node.order, leaf);
    for (let one: RoleNode | undefined = node; one !== undefined; one = one.parent) {
      one.activeCount--;
    }
  }

  // ---- what is held ----

  /** What a client (undefined: one that is gone) of the role holds grows or shrinks. */
  hold(role: string, client: Client | undefined, holding: Holding, sign: 1 | -1): void {
    const node = client?.node ?? this.node(role);
    const { leaf } = node;
    if (client !== undefined) this.#update(leaf.clients, client, holding, sign);
    this.#update(node.order, leaf, holding, sign);
    for (let one = node; one.parent !== undefined; one = one.parent) {
      this.#update(one.parent.order, one, holding, sign);
    }
    if (holding.isConsumed !== true) this.consume(node, holding.common, sign);
    if (sign === -1) this.#prune(node);
  }

  /** Reservations of agents, whether or not somebody uses them. */
  reserve(role: string, amounts: Amounts, sign: 1 | -1): void {
    const node = this.node(role);
    this.consume(node, amounts, sign);
    if (sign === -1) this.#prune(node);
  }

  held(role: string): Quantities {
    const node = this.#byPath.get(role);
    return node === undefined ? new Map() : this.#rows.toMap(node.held);
  }

  consumed(role: string): Quantities {
    const node = this.#byPath.get(role);
    return node === undefined ? new Map() : this.#rows.toMap(node.consumed);
  }

  /** As its siblings are compared: weighted. */
  shareOf(role: string): number {
    const node = this.#byPath.get(role);
    return node === undefined ? 0 : this.#shareOf(node.held, node.weight);
  }

  heldBy(client: Client): Quantities {
    return this.#rows.toMap(client.held);
  }

  roles(): string[] {
    return [...this.#byPath.keys()].filter((path) => path !== '');
  }

  find(role: string): RoleNode | undefined {
    return this.#byPath.get(role);
  }

  // ---- quota, by column ----

  /** Thousandths that must stay free for guarantees that are not met yet. */
  required(column: number): number {
    return this.#rows.at(this.root.required, column);
  }

  get isHeadroomRequired(): boolean {
    return !this.#rows.isZero(this.root.required);
  }

  /** What a limit on the role lets it have more; infinite without one. */
  roomOf(node: RoleNode, column: number): number {
    let room = Infinity;
    for (let one: RoleNode | undefined = node; one !== undefined; one = one.parent) {
      if (one === node || one.quotasBelow > 0) {
        const at = one.limits.columns.indexOf(column);
        if (at >= 0 && this.#isAwaiting) return 0;
        if (at >= 0) {
          const left = (one.limits.milli[at] as number) - this.#rows.at(one.consumed, column);
          room = Math.min(room, Math.max(0, left));
        }
      }
    }
    return room;
  }

  /** A limit on it, or one above that binds it. */
  isLimited(node: RoleNode): boolean {
    for (let one: RoleNode | undefined = node; one !== undefined; one = one.parent) {
      if (one.limits.columns.length > 0 && (one === node || one.quotasBelow > 0)) return true;
    }
    return false;
  }

  /**
   * What is missing of the guarantee that stands for the role: its own, as in Mesos 1.11, or, where
   * roles below one with a quota have quotas too, that of the nearest role above.
   */
  missingOf(node: RoleNode): Map<number, number> | undefined {
    for (let one: RoleNode | undefined = node; one !== undefined; one = one.parent) {
      if (one !== node && one.quotasBelow === 0) continue;
      let missing: Map<number, number> | undefined;
      for (const [i, column] of one.guarantees.columns.entries()) {
        const left = (one.guarantees.milli[i] as number) - this.#rows.at(one.consumed, column);
        if (left > 0) (missing ??= new Map()).set(column, left);
      }
      if (missing !== undefined) return missing;
    }
    return undefined;
  }

  // ---- the order ----

  /** Visits the active clients in order until `visit` returns false. Nothing may change meanwhile. */
  walk(visit: (client: Client) => boolean): void {
    this.#putInOrder();
    const { roleSorter, frameworkSorter, random } = this.#options;
    if (random === undefined || (roleSorter !== 'random' && frameworkSorter !== 'random')) {
      walkNode(this.root, visit);
      return;
    }
    const isRandom = frameworkSorter === 'random';
    for (const leaf of roleSorter === 'random' ? this.#shuffled(random) : leavesOf(this.root)) {
      const weighted = leaf.clients.map((one) => ({ one, weight: 1 }));
      const clients = isRandom ? shuffle(weighted, random) : [...leaf.clients];
      for (const client of clients) if (!visit(client)) return;
    }
  }

  get isRandom(): boolean {
    return this.#options.roleSorter === 'random' || this.#options.frameworkSorter === 'random';
  }

  /** Roles by lot: the chance of each is its share of the weight at every level above it. */
  #shuffled(random: () => number): Leaf[] {
    const all: { one: Leaf; weight: number }[] = [];
    const visit = (node: RoleNode, weight: number): void => {
      const active = node.order.filter((one) => one.kind === 'leaf' || one.activeCount > 0);
      const weightOf = (one: RoleNode | Leaf): number => (one.kind === 'leaf' ? 1 : one.weight);
      const sum = active.reduce((total, one) => total + weightOf(one), 0);
      for (const one of active) {
        const part = (weight * weightOf(one)) / sum;
        if (one.kind === 'leaf') all.push({ one, weight: part });
        else visit(one, part);
      }
    };
    visit(this.root, 1);
    return shuffle(all, random);
  }

  /** The order of few clients among themselves. */
  sort<T extends Client>(clients: T[]): T[] {
    this.#putInOrder();
    return clients.length < 2 ? clients : clients.sort((a, b) => this.#compare(a, b));
  }

  /** Every level of the order from the root down to the client. */
  chain(client: Client): Ranked[] {
    const chain: Ranked[] = [client, client.node.leaf];
    for (let one: RoleNode = client.node; one.parent !== undefined; one = one.parent)
      chain.push(one);
    return chain.toReversed();
  }

  /** Where the client stands at every level, from its top role down to itself. */
  levels(client: Client) {
    this.#putInOrder();
    const chain = this.chain(client);
    return chain.map((one, i) => {
      const above = chain[i - 1];
      const siblings: readonly Ranked[] =
        one === client
          ? client.node.leaf.clients
          : ((above as RoleNode | undefined) ?? this.root).order;
      return {
        path: one.path,
        share: this.#shareOf(one.held, one.weight),
        weight: one.weight,
        position: siblings.indexOf(one) + 1,
        siblings: siblings.length,
      };
    });
  }

  #compare(a: Client, b: Client): number {
    if (a.node === b.node) return comesBefore(a, b) ? -1 : 1;
    const [one, other] = [this.chain(a), this.chain(b)];
    let i = 0;
    while (one[i] === other[i]) i++;
    return comesBefore(one[i] as Ranked, other[i] as Ranked) ? -1 : 1;
  }

  #shareOf(row: number, weight: number): number {
    return this.#rows.largestPart(row, this.#totals, this.#marksOfExcluded()) / weight;
  }

  /** By column, as far as names are known. */
  #marksOfExcluded(): Uint8Array {
    const { names } = this.#names;
    if (this.#excluded.size > 0 && this.#excludedMarks.length !== names.length) {
      this.#excludedMarks = Uint8Array.from(names, (name) => (this.#excluded.has(name) ? 1 : 0));
    }
    return this.#excludedMarks;
  }

  #charge(ranked: Ranked, holding: Holding, sign: 1 | -1): void {
    this.#rows.add(ranked.held, holding.amounts, sign);
    for (const { key, copies, amounts } of holding.shared) {
      ranked.shared ??= new Map();
      const before = ranked.shared.get(key) ?? 0;
      const after = before + sign * copies;
      if (after === 0) ranked.shared.delete(key);
      else ranked.shared.set(key, after);
      if (before === 0) this.#rows.add(ranked.held, amounts, 1);
      else if (after === 0) this.#rows.add(ranked.held, amounts, -1);
    }
  }

  /** Counts against the quotas of the role and those above it. */
  consume(node: RoleNode, amounts: Amounts, sign: 1 | -1): void {
    if (amounts.columns.length === 0) return;
    for (let one = node; one.parent !== undefined; one = one.parent) {
      this.#rows.add(one.consumed, amounts, sign);
    }
    if (this.#quotas.size === 0) return;
    for (const column of amounts.columns) this.#require(node, column);
    if (sign === -1) this.#room(node);
  }

  /** Brings what must be kept free up to date from the node upwards. */
  #require(node: RoleNode, column: number): void {
    const rows = this.#rows;
    for (let one = node; one.parent !== undefined; one = one.parent) {
      const at = one.guarantees.columns.indexOf(column);
      const own = at < 0 ? 0 : (one.guarantees.milli[at] as number) - rows.at(one.consumed, column);
      const needed = Math.max(0, own, rows.at(one.requiredBelow, column));
      const change = needed - rows.at(one.required, column);
      if (change !== 0) {
        // More is missing of its guarantee: what others left may be for it now.
        if (change > 0) this.#wake(one);
        rows.set(one.required, column, needed);
        const { requiredBelow } = one.parent;
        rows.set(requiredBelow, column, rows.at(requiredBelow, column) + change);
      }
    }
    rows.set(this.root.required, column, rows.at(this.root.requiredBelow, column));
  }

  /** Those that a limit held back have room again. */
  #room(node: RoleNode): void {
    for (let one: RoleNode | undefined = node; one !== undefined; one = one.parent) {
      if (!one.isHeldByLimit) continue;
      one.isHeldByLimit = false;
      this.#wake(one);
    }
  }

  #wake(node: RoleNode): void {
    this.#lifted.putBack();
    walkNode(node, (client) => {
      this.onRoom(client);
      return true;
    });
  }

  #putInOrder(): void {
    this.#lifted.putBack();
    if (this.#isStale) this.#refresh();
  }

  /**
   * Charges one and puts it where it belongs now, or lifts it until somebody looks. One that is not in
   * the order stays out of it. Of one alone the share is computed when another one comes.
   */
  #update<T extends Ranked>(siblings: T[], one: T, holding: Holding, sign: 1 | -1): void {
    if (siblings.length === 1 && siblings[0] === one) {
      this.#charge(one, holding, sign);
      if (sign === 1 && !holding.isConversion) one.count++;
      return;
    }
    if (sign === -1 && !this.#isStale) this.#lifted.lift(siblings, one);
    const at = this.#isStale || one.isLifted ? -1 : whereIs(siblings, one);
    this.#charge(one, holding, sign);
    if (sign === 1 && !holding.isConversion) one.count++;
    if (one.isLifted) return;
    one.share = this.#shareOf(one.held, one.weight);
    if (at >= 0) move(siblings, at);
  }

  /** The share of one that was alone until now may be an old one. */
  #insert<T extends Ranked>(siblings: T[], one: T): void {
    const [other] = siblings;
    if (siblings.length === 1 && other !== undefined) {
      other.share = this.#shareOf(other.held, other.weight);
    }
    insert(siblings, one);
  }

  #refresh(): void {
    this.#lifted.putBack();
    this.#isStale = false;
    const visit = (node: RoleNode): void => {
      node.share = this.#shareOf(node.held, node.weight);
      const { leaf } = node;
      leaf.share = this.#shareOf(leaf.held, 1);
      for (const client of leaf.clients) client.share = this.#shareOf(client.held, 1);
      resort(leaf.clients);
      for (const child of node.children.values()) visit(child);
      resort(node.order);
    };
    visit(this.root);
  }

  #makeNode(path: string, name: string, parent: RoleNode | undefined): RoleNode {
    const rows = this.#rows;
    const ranked = { share: 0, weight: 1, count: 0, shared: undefined, isLifted: false };
    const leaf: Leaf = {
      kind: 'leaf',
      path: `${path}/.`,
      held: rows.make(),
      clients: [],
      ...ranked,
    };
    const node: RoleNode = {
      kind: 'node',
      path,
      name,
      parent,
      held: rows.make(),
      consumed: rows.make(),
      required: rows.make(),
      requiredBelow: rows.make(),
      children: new Map(),
      order: [],
      leaf,
      guarantees: nothing,
      limits: nothing,
      quotasBelow: 0,
      activeCount: 0,
      clientCount: 0,
      isHeldByLimit: false,
      ...ranked,
      weight: this.weight(path),
    };
    this.#byPath.set(path, node);
    return node;
  }

  node(role: string): RoleNode {
    const known = this.#byPath.get(role);
    if (known !== undefined) return known;
    let node = this.root;
    for (const name of role.split('/')) {
      let child = node.children.get(name);
      if (child === undefined) {
        child = this.#makeNode(node.path === '' ? name : `${node.path}/${name}`, name, node);
        node.children.set(name, child);
        this.#insert(node.order, child);
      }
      node = child;
    }
    return node;
  }

  /** Drops nodes that no framework, quota or allocation needs. */
  #prune(from: RoleNode): void {
    const rows = this.#rows;
    let node = from;
    while (node.parent !== undefined) {
      if (node.clientCount > 0 || node.children.size > 0 || this.#quotas.has(node.path)) return;
      if (!rows.isZero(node.held) || !rows.isZero(node.consumed)) return;
      this.#lifted.putBack();
      node.parent.children.delete(node.name);
      remove(node.parent.order, node);
      this.#byPath.delete(node.path);
      for (const row of [node.held, node.consumed, node.required, node.requiredBelow]) {
        rows.drop(row);
      }
      rows.drop(node.leaf.held);
      node = node.parent;
    }
  }
}

/** A limit of nothing is a limit: it must not be left out. */
function limitAmounts(limits: Quantities, names: ScalarNames): Amounts {
  const made = new Amounts();
  for (const [name, milli] of limits) {
    made.columns.push(names.column(name));
    made.milli.push(milli);
  }
  return made;
}
