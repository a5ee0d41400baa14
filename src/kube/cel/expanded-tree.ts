// An expression as cel-go sees it once its macros are expanded, each node with its type: what the estimator
// of cost walks over. The interpreter expands macros in its own way, which costs another sum.
import { isNode, type Node } from './cost.ts';
import { namespaces } from './namespaces.ts';
import {
  BOOL,
  DYN,
  fieldType,
  INT,
  itemType,
  listOf,
  mapOf,
  optionalOf,
  resultType,
  TYPE,
  typeOfChecked,
  typeOfValue,
  type CheckedType,
  type StaticType,
} from './static-types.ts';

export interface Literal {
  readonly kind: 'literal';
  readonly type: StaticType;
  readonly value: unknown;
}
export interface Ident {
  readonly kind: 'ident';
  readonly type: StaticType;
  readonly name: string;
}
export interface Select {
  readonly kind: 'select';
  readonly type: StaticType;
  readonly operand: Tree;
  readonly field: string;
  /** `has(operand.field)` */
  readonly isTest: boolean;
}
export interface Call {
  readonly kind: 'call';
  readonly type: StaticType;
  readonly name: string;
  readonly target?: Tree;
  readonly args: readonly Tree[];
}
export interface ListTree {
  readonly kind: 'list';
  readonly type: StaticType;
  readonly items: readonly Tree[];
}
export interface MapTree {
  readonly kind: 'map';
  readonly type: StaticType;
  readonly entries: readonly (readonly [Tree, Tree])[];
}
export interface Fold {
  readonly kind: 'fold';
  readonly type: StaticType;
  readonly range: Tree;
  /** One name, or those of key and value. */
  readonly names: readonly string[];
  readonly accumulator: string;
  readonly init: Tree;
  readonly condition: Tree;
  readonly step: Tree;
  readonly result: Tree;
}
export type Tree = Literal | Ident | Select | Call | ListTree | MapTree | Fold;

type Types = ReadonlyMap<string, StaticType>;

const ACCUMULATOR = '@result';
const TRUE = true;

const literal = (value: unknown): Literal => ({ kind: 'literal', type: typeOfValue(value), value });
const ident = (name: string, type: StaticType): Ident => ({ kind: 'ident', name, type });
const emptyList = (): ListTree => ({ kind: 'list', type: listOf(DYN), items: [] });

function call(name: string, args: readonly Tree[], type: StaticType, target?: Tree): Call {
  return target === undefined
    ? { kind: 'call', name, args, type }
    : { kind: 'call', name, args, type, target };
}

const binaryNames: Readonly<Record<string, string>> = { in: '@in', '[]': '_[_]', '[?]': '_[?_]' };
const truths = new Set(['==', '!=', '<', '<=', '>', '>=', '&&', '||', 'in']);

const argsOf = (node: Node): readonly Node[] => node.args as readonly Node[];
const nameOf = (node: Node | undefined): string => String(node?.args);

/** What a macro goes over, with the names and the expressions between its brackets. */
interface Loop {
  readonly range: Tree;
  readonly names: readonly string[];
  readonly bodies: readonly Node[];
  readonly types: Types;
}

class Expansion {
  build(node: Node, types: Types): Tree {
    const { op } = node;
    switch (op) {
      case 'value':
        return literal(node.args);
      case 'id': {
        const name = nameOf(node);
        return ident(name, types.get(name) ?? TYPE);
      }
      case '.':
        return this.#select(node, types, false);
      case '.?': {
        const operand = this.build(argsOf(node)[0] as Node, types);
        const field = String(argsOf(node)[1]);
        const found = fieldType(operand.type, field);
        const type = found.kind === 'optional' ? found : optionalOf(found);
        return call('_?._', [operand, literal(field)], type);
      }
      case 'list':
        return this.#list(argsOf(node), types);
      case 'map':
        return this.#map(node.args as readonly (readonly [Node, Node])[], types);
      case 'call':
        return this.#call(node, types);
      case 'rcall':
        return this.#member(node, types);
      default:
        return this.#operator(node, types);
    }
  }

  #all(nodes: readonly Node[], types: Types): Tree[] {
    return nodes.map((one) => this.build(one, types));
  }

  #select(node: Node, types: Types, isTest: boolean): Select {
    const operand = this.build(argsOf(node)[0] as Node, types);
    const field = String(argsOf(node)[1]);
    const type = isTest ? BOOL : fieldType(operand.type, field);
    return { kind: 'select', operand, field, isTest, type };
  }

  #list(nodes: readonly Node[], types: Types): ListTree {
    const items = this.#all(nodes, types);
    return { kind: 'list', items, type: listOf(items[0]?.type ?? DYN) };
  }

  #map(pairs: readonly (readonly [Node, Node])[], types: Types): MapTree {
    const entries = pairs.map(
      ([key, value]) => [this.build(key, types), this.build(value, types)] as const,
    );
    const [key, value] = entries[0] ?? [];
    return { kind: 'map', entries, type: mapOf(key?.type ?? DYN, value?.type ?? DYN) };
  }

  #operator(node: Node, types: Types): Tree {
    const { op } = node;
    if (op === '!_' || op === '-_') return this.#unary(node, types);
    const name = op === '?:' ? '_?_:_' : (binaryNames[op] ?? `_${op}_`);
    const args = this.#all(argsOf(node), types);
    if (truths.has(op)) return call(name, args, BOOL);
    return call(name, args, resultType(name, undefined, kinds(args)) ?? DYN);
  }

  /** A sign before a number is part of it, and two signs are none. */
  #unary(node: Node, types: Types): Tree {
    const inner = node.args as Node;
    if (inner.op === node.op) return this.build(inner.args as Node, types);
    const isNumber = typeof inner.args === 'bigint' || typeof inner.args === 'number';
    if (node.op === '-_' && inner.op === 'value' && isNumber) return literal(negated(inner.args));
    const operand = this.build(inner, types);
    return node.op === '!_' ? call('!_', [operand], BOOL) : call('-_', [operand], operand.type);
  }

  #call(node: Node, types: Types): Tree {
    const [name, nodes] = node.args as [string, readonly Node[]];
    if (name === 'has' && nodes[0] !== undefined) return this.#select(nodes[0], types, true);
    const args = this.#all(nodes, types);
    return call(name, args, this.#resultOf(node, name, undefined, args));
  }

  #resultOf(node: Node, name: string, target: Tree | undefined, args: readonly Tree[]): StaticType {
    const { checkedType } = node as Node & { checkedType?: CheckedType };
    return resultType(name, target?.type, kinds(args)) ?? typeOfChecked(checkedType);
  }

  #member(node: Node, types: Types): Tree {
    const [name, receiver, nodes] = node.args as [string, Node, readonly Node[]];
    const isSpace = receiver.op === 'id' && !types.has(nameOf(receiver));
    if (isSpace && namespaces.has(nameOf(receiver))) {
      const full = `${nameOf(receiver)}.${name}`;
      const args = this.#all(nodes, types);
      return call(full, args, this.#resultOf(node, full, undefined, args));
    }
    const macro = this.#macro(name, receiver, nodes, types);
    if (macro !== undefined) return macro;
    const target = this.build(receiver, types);
    const args = this.#all(nodes, types);
    return call(name, args, this.#resultOf(node, name, target, args), target);
  }

  #macro(name: string, receiver: Node, nodes: readonly Node[], types: Types): Tree | undefined {
    const hasName = nodes[0]?.op === 'id';
    if (!hasName) return undefined;
    const count = nodes.length;
    const loop = (names: number): Loop => this.#loop(receiver, nodes, names, types);
    switch (name) {
      case 'all':
      case 'exists':
      case 'exists_one':
      case 'existsOne':
        return count === 2 || count === 3 ? this.#quantifier(name, loop(count - 1)) : undefined;
      case 'map':
        return count === 2 || count === 3 ? this.#listed(loop(1)) : undefined;
      case 'transformList':
        return count === 3 || count === 4 ? this.#listed(loop(2)) : undefined;
      case 'transformMap':
      case 'transformMapEntry':
        return count === 3 || count === 4 ? this.#mapped(name, loop(2)) : undefined;
      case 'filter':
        return count === 2 ? this.#filtered(loop(1)) : undefined;
      case 'sortBy':
        return count === 2 ? this.#sorted(receiver, nodes, types) : undefined;
      case 'optMap':
      case 'optFlatMap':
        return count === 2 ? this.#optional(name, receiver, nodes, types) : undefined;
      default:
        return undefined;
    }
  }

  #loop(receiver: Node | Tree, nodes: readonly Node[], count: number, types: Types): Loop {
    const range = isNode(receiver) ? this.build(receiver, types) : receiver;
    const names = nodes.slice(0, count).map(nameOf);
    const isMap = range.type.kind === 'map';
    const key = isMap ? (range.type.key ?? DYN) : range.type.kind === 'list' ? INT : DYN;
    const value = itemType(range.type);
    const inner = new Map(types);
    if (names.length === 2) inner.set(names[0] as string, key).set(names[1] as string, value);
    else inner.set(names[0] as string, isMap ? key : value);
    return { range, names, bodies: nodes.slice(count), types: inner };
  }

  #quantifier(name: string, loop: Loop): Fold {
    const body = this.build(loop.bodies[0] as Node, loop.types);
    const accu = (): Ident =>
      ident(ACCUMULATOR, name.startsWith('exists') && name.length > 6 ? INT : BOOL);
    switch (name) {
      case 'all':
        return folded(loop, BOOL, {
          init: literal(TRUE),
          condition: call('@not_strictly_false', [accu()], BOOL),
          step: call('_&&_', [accu(), body], BOOL),
          result: accu(),
        });
      case 'exists':
        return folded(loop, BOOL, {
          init: literal(false),
          condition: call('@not_strictly_false', [call('!_', [accu()], BOOL)], BOOL),
          step: call('_||_', [accu(), body], BOOL),
          result: accu(),
        });
      default:
        return folded(loop, BOOL, {
          init: literal(0n),
          condition: literal(TRUE),
          step: call('_?_:_', [body, call('_+_', [accu(), literal(1n)], INT), accu()], INT),
          result: call('_==_', [accu(), literal(1n)], BOOL),
        });
    }
  }

  /** The last expression is what is put in, one before it says whether. */
  #listed(loop: Loop): Fold {
    const [condition, item] = this.#bodies(loop);
    return pushing(loop, condition, item);
  }

  #bodies(loop: Loop): readonly [Tree | undefined, Tree] {
    const bodies = this.#all(loop.bodies, loop.types);
    const last = bodies.at(-1) as Tree;
    return bodies.length === 2 ? [bodies[0], last] : [undefined, last];
  }

  #filtered(loop: Loop): Fold {
    const name = loop.names[0] as string;
    const condition = this.build(loop.bodies[0] as Node, loop.types);
    return pushing(loop, condition, ident(name, loop.types.get(name) ?? DYN));
  }

  #mapped(name: string, loop: Loop): Fold {
    const [condition, value] = this.#bodies(loop);
    const keyName = loop.names[0] as string;
    const key = ident(keyName, loop.types.get(keyName) ?? DYN);
    const isEntry = name === 'transformMapEntry';
    const type = isEntry ? value.type : mapOf(key.type, value.type);
    const accu = (): Ident => ident(ACCUMULATOR, type);
    const args = isEntry ? [accu(), value] : [accu(), key, value];
    const insert = call('cel.@mapInsert', args, type);
    return folded(loop, type, {
      init: { kind: 'map', entries: [], type },
      condition: literal(TRUE),
      step: condition === undefined ? insert : call('_?_:_', [condition, insert, accu()], type),
      result: accu(),
    });
  }

  #sorted(receiver: Node, nodes: readonly Node[], types: Types): Fold {
    const name = '@__sortBy_input__';
    const init = this.build(receiver, types);
    const keys = this.#listed(this.#loop(ident(name, init.type), nodes, 1, types));
    const target = ident(name, init.type);
    return bound(name, init, call('@sortByAssociatedKeys', [keys], init.type, target));
  }

  #optional(name: string, receiver: Node, nodes: readonly Node[], types: Types): Call {
    const target = this.build(receiver, types);
    const inner = target.type.kind === 'optional' ? (target.type.value ?? DYN) : DYN;
    const variable = nameOf(nodes[0]);
    const value = call('value', [], inner, this.build(receiver, types));
    const body = this.build(nodes[1] as Node, new Map(types).set(variable, inner));
    const fold = bound(variable, value, body);
    const type = name === 'optMap' ? optionalOf(body.type) : body.type;
    const made = name === 'optMap' ? call('optional.of', [fold], type) : fold;
    const none = call('optional.none', [], type);
    return call('_?_:_', [call('hasValue', [], BOOL, target), made, none], type);
  }
}

const kinds = (trees: readonly Tree[]): StaticType[] => trees.map(({ type }) => type);

function negated(value: unknown): unknown {
  return typeof value === 'bigint' ? -value : -(value as number);
}

type Steps = Pick<Fold, 'init' | 'condition' | 'step' | 'result'>;

function folded({ range, names }: Loop, type: StaticType, steps: Steps): Fold {
  return { kind: 'fold', type, range, names, accumulator: ACCUMULATOR, ...steps };
}

function pushing(loop: Loop, condition: Tree | undefined, item: Tree): Fold {
  const type = listOf(item.type);
  const accu = (): Ident => ident(ACCUMULATOR, type);
  const push = call('_+_', [accu(), { kind: 'list', items: [item], type }], type);
  return folded(loop, type, {
    init: { kind: 'list', items: [], type },
    condition: literal(TRUE),
    step: condition === undefined ? push : call('_?_:_', [condition, push, accu()], type),
    result: accu(),
  });
}

/** A loop over nothing, whose accumulator is the variable. */
function bound(accumulator: string, init: Tree, result: Tree): Fold {
  const names = ['#unused'];
  const step = ident(accumulator, init.type);
  const condition = literal(false);
  const range = emptyList();
  return {
    kind: 'fold',
    type: result.type,
    range,
    names,
    accumulator,
    init,
    condition,
    step,
    result,
  };
}

/** The tree of a checked expression; `variables` are those that its environment has. */
export function expand(ast: Node, variables: Types): Tree {
  return new Expansion().build(ast, variables);
}
