// The most that an expression can cost on any value that its schema allows, as the estimator of cel-go
// v0.29 counts it: what a definition's rules are measured by when it is written.
import { callCost, type CallSite, type Operand } from './call-costs.ts';
import type { Declared } from './declared-types.ts';
import { fixed, MOST, NOTHING, plus, times, union, UNKNOWN, type Range } from './estimates.ts';
import type { Call, Fold, ListTree, MapTree, Select, Tree } from './expanded-tree.ts';
import { overloadsOf } from './overloads.ts';
import { isScalar } from './static-types.ts';

const NAME_COST = fixed(1);
const LIST_COST = fixed(10);
const MAP_COST = fixed(30);

/**
 * A field path that grows as Go's slices do: two that are made from one may share their last cell, and the
 * later one overwrites it. Estimates of the real server depend on that.
 */
class Path {
  readonly #cells: string[];
  readonly #length: number;
  readonly #capacity: number;

  constructor(cells: string[], length: number, capacity: number) {
    this.#cells = cells;
    this.#length = length;
    this.#capacity = capacity;
  }

  static root(name: string): Path {
    return new Path([name], 1, 1);
  }

  append(name: string): Path {
    const length = this.#length + 1;
    if (this.#length < this.#capacity) {
      this.#cells[this.#length] = name;
      return new Path(this.#cells, length, this.#capacity);
    }
    const cells = [...this.#cells.slice(0, this.#length), name];
    return new Path(cells, length, Math.max(1, this.#capacity * 2));
  }

  get names(): readonly string[] {
    return this.#cells.slice(0, this.#length);
  }
}

const NO_PATH = new Path([], 0, 0);

/** Sizes of what is in a collection. */
interface Entries {
  readonly kind: 'list' | 'map';
  readonly key: Range;
  readonly value: Range;
}

interface Local {
  readonly path: Path;
  readonly size: Range | undefined;
  readonly entries: Entries | undefined;
}

function mixed(a: Entries | undefined, b: Entries | undefined): Entries | undefined {
  if (a === undefined || b === undefined) return undefined;
  return { kind: a.kind, key: union(a.key, b.key), value: union(a.value, b.value) };
}

class Estimate {
  readonly #root: Declared | undefined;
  readonly #paths = new Map<Tree, Path>();
  readonly #sizes = new Map<Tree, Range>();
  readonly #entries = new Map<Tree, Entries>();
  readonly #locals = new Map<string, Local[]>();

  constructor(root: Declared | undefined) {
    this.#root = root;
  }

  cost(tree: Tree): Range {
    switch (tree.kind) {
      case 'literal':
        return NOTHING;
      case 'ident': {
        const local = this.#local(tree.name);
        this.#paths.set(tree, local?.path ?? Path.root(tree.name));
        return NAME_COST;
      }
      case 'select':
        return this.#select(tree);
      case 'call':
        return tree.name === 'dyn' ? this.#dyn(tree) : this.#call(tree);
      case 'list':
        return this.#list(tree);
      case 'map':
        return this.#map(tree);
      default:
        return isBind(tree) ? this.#bind(tree) : this.#fold(tree);
    }
  }

  #select(tree: Select): Range {
    const cost = this.cost(tree.operand);
    if (tree.isTest) return cost;
    this.#paths.set(tree, this.#path(tree.operand).append(tree.field));
    const { kind } = tree.operand.type;
    return kind === 'map' || kind === 'struct' ? plus(cost, NAME_COST) : cost;
  }

  #dyn(tree: Call): Range {
    const argument = tree.args[0] as Tree;
    const cost = this.cost(argument);
    this.#copySizes(tree, argument);
    return plus(cost, NAME_COST);
  }

  #call(tree: Call): Range {
    const costs: Range[] = [];
    const args: Operand[] = [];
    for (const one of tree.args) {
      costs.push(this.cost(one));
      args.push(this.#operand(one));
    }
    const ofTarget = tree.target === undefined ? NOTHING : this.cost(tree.target);
    const target = tree.target === undefined ? {} : { target: this.#operand(tree.target) };
    const types = tree.args.map(({ type }) => type);
    let cost: Range = { min: MOST, max: 0n };
    let size: Range | undefined;
    for (const overload of overloadsOf(tree.name, tree.target?.type, types)) {
      const site: CallSite = { name: tree.name, overload, args, ...target };
      const own = callCost(site);
      cost = union(cost, plus(own.cost, argumentCost(overload, costs)));
      if (own.size !== undefined) size = size === undefined ? own.size : union(size, own.size);
      this.#collectionOf(tree, overload);
      if (overload === 'index_list' || overload === 'index_map')
        size = this.#indexed(tree, overload);
      size ??= this.#size(tree);
    }
    if (size !== undefined) this.#sizes.set(tree, size);
    return plus(ofTarget, cost);
  }

  /** What is known of the items goes over to the result. */
  #collectionOf(tree: Call, overload: string): void {
    const [first, second, third] = tree.args;
    let entries: Entries | undefined;
    if (overload === 'conditional') {
      entries = mixed(this.#entriesOf(second as Tree), this.#entriesOf(third as Tree));
    } else if (overload.startsWith('add_')) {
      entries = mixed(this.#entriesOf(first as Tree), this.#entriesOf(second as Tree));
    }
    if (entries !== undefined) this.#entries.set(tree, entries);
  }

  #indexed(tree: Call, overload: string): Range | undefined {
    const collection = tree.args[0] as Tree;
    const part = overload === 'index_list' ? '@items' : '@values';
    this.#paths.set(tree, this.#path(collection).append(part));
    return this.#entriesOf(collection)?.value;
  }

  #list(tree: ListTree): Range {
    let cost = LIST_COST;
    let value: Range = { min: tree.items.length === 0 ? 0n : MOST, max: 0n };
    for (const one of tree.items) {
      cost = plus(cost, this.cost(one));
      value = union(value, this.#size(one) ?? UNKNOWN);
    }
    this.#entries.set(tree, { kind: 'list', key: fixed(1), value });
    return cost;
  }

  #map(tree: MapTree): Range {
    let cost = MAP_COST;
    const least = tree.entries.length === 0 ? 0n : MOST;
    let [key, value]: [Range, Range] = [
      { min: least, max: 0n },
      { min: least, max: 0n },
    ];
    for (const [name, one] of tree.entries) {
      cost = plus(cost, this.cost(name), this.cost(one));
      key = union(key, this.#size(name) ?? UNKNOWN);
      value = union(value, this.#size(one) ?? UNKNOWN);
    }
    this.#entries.set(tree, { kind: 'map', key, value });
    return cost;
  }

  #bind(tree: Fold): Range {
    const before = plus(this.cost(tree.range), this.cost(tree.init));
    this.#push(tree.accumulator, this.#localOf(tree.init));
    const cost = plus(before, this.cost(tree.result));
    this.#pop(tree.accumulator);
    this.#copySizes(tree, tree.result);
    return cost;
  }

  #fold(tree: Fold): Range {
    let cost = plus(this.cost(tree.range), this.cost(tree.init));
    this.#push(tree.accumulator, this.#localOf(tree.init));
    const [first, second] = tree.names;
    if (second === undefined) this.#push(first as string, this.#item(tree.range, 'single'));
    else {
      this.#push(first as string, this.#item(tree.range, 'key'));
      this.#push(second, this.#item(tree.range, 'value'));
    }
    const each = plus(this.cost(tree.condition), this.cost(tree.step));
    for (const name of tree.names) this.#pop(name);
    cost = plus(cost, this.cost(tree.result));
    this.#pop(tree.accumulator);
    const count = this.#size(tree.range) ?? UNKNOWN;
    this.#setFoldSize(tree, count);
    return plus(cost, times(count, each));
  }

  #setFoldSize(tree: Fold, count: Range): void {
    if (tree.init.kind === 'literal') {
      const size = this.#size(tree.init);
      if (size !== undefined) this.#sizes.set(tree, size);
    } else if (tree.init.kind === 'list' || tree.init.kind === 'map') {
      this.#sizes.set(tree, count);
      const entries = this.#entriesOf(tree.step);
      if (entries !== undefined) this.#entries.set(tree, entries);
    }
  }

  // ---- variables ----

  #push(name: string, local: Local): void {
    const stack = this.#locals.get(name) ?? [];
    stack.push(local);
    this.#locals.set(name, stack);
  }

  #pop(name: string): void {
    this.#locals.get(name)?.pop();
  }

  #local(name: string): Local | undefined {
    return this.#locals.get(name)?.at(-1);
  }

  #localOf(tree: Tree): Local {
    const entries = this.#entriesOf(tree);
    return { path: this.#path(tree), size: this.#size(tree), entries };
  }

  #item(range: Tree, which: 'single' | 'key' | 'value'): Local {
    const entries = this.#entriesOf(range);
    const isList = (entries?.kind ?? range.type.kind) === 'list';
    const isValue = which === 'value' || (which === 'single' && isList);
    const size = isValue ? entries?.value : entries?.key;
    const part = isValue ? (isList ? '@items' : '@values') : isList ? '@indices' : '@keys';
    return { path: this.#path(range).append(part), size, entries: undefined };
  }

  // ---- sizes ----

  #path(tree: Tree): Path {
    const local = tree.kind === 'ident' ? this.#local(tree.name) : undefined;
    return local?.path ?? this.#paths.get(tree) ?? NO_PATH;
  }

  #operand(tree: Tree): Operand {
    const { names } = this.#path(tree);
    const items = names.length === 0 ? undefined : this.#sizeAt([...names, '@items']);
    return { tree, type: tree.type, size: this.#size(tree) ?? this.#sizeAt(names), items };
  }

  #copySizes(to: Tree, from: Tree): void {
    const size = this.#size(from);
    if (size !== undefined) this.#sizes.set(to, size);
    const entries = this.#entriesOf(from);
    if (entries !== undefined) this.#entries.set(to, entries);
  }

  #entriesOf(tree: Tree): Entries | undefined {
    const own = this.#entries.get(tree);
    if (own !== undefined || tree.kind !== 'ident') return own;
    return this.#local(tree.name)?.entries;
  }

  /** Of a text in letters, of a collection in items; undefined when nothing bounds it. */
  #size(tree: Tree): Range | undefined {
    const known = this.#sizes.get(tree) ?? writtenSize(tree);
    if (known !== undefined) return known;
    const declared = this.#sizeAt(this.#path(tree).names);
    if (declared !== undefined) {
      this.#sizes.set(tree, declared);
      return declared;
    }
    if (isScalar(tree.type)) return fixed(1);
    return tree.kind === 'ident' ? this.#local(tree.name)?.size : undefined;
  }

  /** By the schema; whatever the variable, it is looked up from the root. */
  #sizeAt(path: readonly string[]): Range | undefined {
    if (path.length === 0) return undefined;
    let at: Declared | undefined = this.#root;
    for (const name of path.slice(1)) {
      if (at === undefined) return undefined;
      if (name === '@keys') return at.kind === 'map' ? this.#belowKeys(path, name) : undefined;
      const isItem = name === '@items' || name === '@values';
      at = isItem ? at.values : at.fields?.get(name)?.type;
    }
    return at === undefined ? undefined : { min: 0n, max: BigInt(at.elementsMax) };
  }

  /** Keys have no bound of their own; nothing lies below them. */
  #belowKeys(path: readonly string[], name: string): Range | undefined {
    return path.at(-1) === name ? NOTHING : undefined;
  }
}

function isBind({ range, condition, accumulator }: Fold): boolean {
  const isEmpty = range.kind === 'list' && range.items.length === 0;
  const isNever = condition.kind === 'literal' && condition.value === false;
  return isEmpty && isNever && accumulator !== '__result__';
}

/** Short circuits bound the least, not the most. */
function argumentCost(overload: string, costs: readonly Range[]): Range {
  const all = plus(...costs);
  const [first = NOTHING, second = NOTHING, third = NOTHING] = costs;
  if (overload === 'logical') return { min: first.min, max: all.max };
  if (overload === 'conditional') return plus(first, union(second, third));
  return all;
}

function writtenSize(tree: Tree): Range | undefined {
  switch (tree.kind) {
    case 'literal': {
      const { value } = tree;
      if (typeof value === 'string') return fixed([...value].length);
      return fixed(value instanceof Uint8Array ? value.length : 1);
    }
    case 'list':
      return fixed(tree.items.length);
    case 'map':
      return fixed(tree.entries.length);
    default:
      return undefined;
  }
}

/** `root` is the type of `self`. */
export function costMax(tree: Tree, root: Declared | undefined): bigint {
  return new Estimate(root).cost(tree).max;
}
