// Sets of fields, as managedFields record them (FieldsV1): a tree whose edges are `f:<field>`,
// `k:<key of a list element>`, `v:<value of a set>`. A node without edges is a member of the set; one
// with edges is a member itself only when it also has the edge `.`. The root is never a member.

export interface FieldSet {
  [edge: string]: FieldSet;
}

const SELF = '.';

export function isMember(node: FieldSet): boolean {
  return SELF in node || isEmpty(node);
}

export function isEmpty(set: FieldSet): boolean {
  for (const _edge in set) return false;
  return true;
}

const RANKS = '.fkvi';

/** As upstream writes it: fields by name; elements of lists and sets behind them stay as they are. */
export function ordered(set: FieldSet): FieldSet {
  const edges = Object.entries(set).toSorted(([a], [b]) => {
    const apart = RANKS.indexOf(a.charAt(0)) - RANKS.indexOf(b.charAt(0));
    if (apart !== 0 || !a.startsWith('f')) return apart;
    return a < b ? -1 : 1;
  });
  return Object.fromEntries(edges.map(([edge, below]) => [edge, ordered(below)]));
}

/** Whether it is what it says; anybody may send anything. */
export function isFieldSet(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(([edge, below]) => isEdge(edge) && isFieldSet(below));
}

function isEdge(edge: string): boolean {
  const text = edge.slice(2);
  if (edge === SELF || edge.startsWith('f:')) return true;
  if (edge.startsWith('i:')) return /^-?\d+$/.test(text);
  if (!edge.startsWith('k:') && !edge.startsWith('v:')) return false;
  try {
    const read: unknown = JSON.parse(text);
    return edge.startsWith('v:') || (typeof read === 'object' && read !== null);
  } catch {
    return false;
  }
}

/** The node with these edges; undefined when nothing of it is in the set. */
export function nodeOf(isIn: boolean, edges: FieldSet): FieldSet | undefined {
  if (isEmpty(edges)) return isIn ? {} : undefined;
  return isIn ? { [SELF]: {}, ...edges } : edges;
}

/** What a combination keeps: what only one side has, and what both have. */
interface Rule {
  readonly onlyA: boolean;
  readonly onlyB: boolean;
  readonly both: boolean;
}

function combine(a: FieldSet, b: FieldSet, rule: Rule): FieldSet {
  const out: FieldSet = {};
  for (const [edge, x] of Object.entries(a)) {
    if (edge === SELF) continue;
    const y = b[edge];
    if (y === undefined) {
      if (rule.onlyA) out[edge] = x;
      continue;
    }
    const [inX, inY] = [isMember(x), isMember(y)];
    const isKept = inX && inY ? rule.both : (inX && rule.onlyA) || (inY && rule.onlyB);
    const node = nodeOf(isKept, combine(x, y, rule));
    if (node !== undefined) out[edge] = node;
  }
  if (!rule.onlyB) return out;
  for (const [edge, y] of Object.entries(b)) {
    if (edge !== SELF && a[edge] === undefined) out[edge] = y;
  }
  return out;
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  return combine(a, b, { onlyA: true, onlyB: true, both: true });
}

/** The members of `a` that are not members of `b`; what lies below a member of `b` stays. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return combine(a, b, { onlyA: true, onlyB: false, both: false });
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  return combine(a, b, { onlyA: false, onlyB: false, both: true });
}

/** The members of `a` that are neither members of `b` nor below one. */
export function without(a: FieldSet, b: FieldSet): FieldSet {
  const out: FieldSet = {};
  for (const [edge, x] of Object.entries(a)) {
    const y = b[edge];
    if (edge === SELF || (y !== undefined && isMember(y))) continue;
    const node = y === undefined ? x : nodeOf(isMember(x), without(x, y));
    if (node !== undefined) out[edge] = node;
  }
  return out;
}

/** The set of these dotted paths of fields: `status`, `metadata.labels`. */
export function fieldSet(...paths: readonly string[]): FieldSet {
  const root: FieldSet = {};
  for (const path of paths) {
    const edges = path.split('.').map((name) => `f:${name}`);
    edges.reduce((node, edge, i) => {
      const inner = (node[edge] ??= {});
      if (i === edges.length - 1 && !isEmpty(inner)) inner[SELF] = {};
      return inner;
    }, root);
  }
  return root;
}

/** The paths of the members, parents before what is below them, in the order of their edges. */
export function* members(
  set: FieldSet,
  path: readonly string[] = [],
): Generator<readonly string[]> {
  for (const edge of Object.keys(set).toSorted()) {
    if (edge === SELF) continue;
    const node = set[edge] ?? {};
    const at = [...path, edge];
    if (isMember(node)) yield at;
    yield* members(node, at);
  }
}

/** `.spec.containers[name="c"].image`, as conflicts name fields. */
export function describePath(path: readonly string[]): string {
  return path
    .map((edge) => {
      const rest = edge.slice(2);
      if (edge.startsWith('f:')) return `.${rest}`;
      if (edge.startsWith('v:')) return `[=${rest}]`;
      const keys = Object.entries(JSON.parse(rest) as Record<string, unknown>);
      return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
    })
    .join('');
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** Numbers in keys of list elements by their value; everything else as it is written. */
function isBefore(a: string, b: string): boolean {
  if (a[0] !== b[0] || (a[0] !== 'k' && a[0] !== 'v')) return a < b;
  let at = 0;
  while (at < a.length && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  const runOf = (edge: string): string => {
    let [start, end] = [at, at];
    while (isDigit(edge.charCodeAt(start - 1))) start--;
    while (isDigit(edge.charCodeAt(end))) end++;
    return edge[start - 1] === ':' ? edge.slice(start, end) : '';
  };
  const [x, y] = [runOf(a), runOf(b)];
  return x === '' || y === '' || x.length === y.length ? a < b : x.length < y.length;
}

/** As upstream writes a set down: every node's edges one after another; the set itself where they are. */
export function inOrder(set: FieldSet): FieldSet {
  let [before, isSame, isSorted] = ['', true, true];
  const nodes: [string, FieldSet][] = [];
  for (const edge in set) {
    const below = set[edge] as FieldSet;
    const node = inOrder(below);
    isSame &&= node === below;
    isSorted &&= before === '' || isBefore(before, edge);
    before = edge;
    nodes.push([edge, node]);
  }
  if (isSame && isSorted) return set;
  if (!isSorted) nodes.sort(([a], [b]) => (isBefore(a, b) ? -1 : 1));
  return Object.fromEntries(nodes);
}
