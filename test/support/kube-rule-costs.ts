// Rules of every kind over a schema with every kind of field, for asking two servers what they would cost: a list of
// just so many items that the sum is a little above what is allowed makes the answer tell it.

import { compileRules, costMax } from '#kube/apiserver/crd/expression-rules.ts';
import type { JsonSchema } from '#kube/apiserver/crd/json-schema.ts';
import { validateDefinitionSpec } from '#kube/apiserver/crd/definition-validation.ts';
import type { KubeObject } from '#kube/meta/object.ts';

type Schema = Readonly<Record<string, unknown>>;

const text = (maxLength?: number): Schema => ({
  type: 'string',
  ...(maxLength === undefined ? {} : { maxLength }),
});
const integer: Schema = { type: 'integer' };
const list = (items: Schema, maxItems?: number): Schema => ({
  type: 'array',
  items,
  ...(maxItems === undefined ? {} : { maxItems }),
});
const map = (additionalProperties: Schema, maxProperties?: number): Schema => ({
  type: 'object',
  additionalProperties,
  ...(maxProperties === undefined ? {} : { maxProperties }),
});
const object = (properties: Readonly<Record<string, Schema>>, required?: string[]): Schema => ({
  type: 'object',
  properties,
  ...(required === undefined ? {} : { required }),
});

const fields: Readonly<Record<string, Schema>> = {
  s: text(10),
  t: text(5),
  u: text(),
  e: { type: 'string', enum: ['one', 'three', 'eleven'] },
  b: { type: 'string', format: 'byte', maxLength: 20 },
  d: { type: 'string', format: 'duration' },
  w: { type: 'string', format: 'date-time' },
  y: { type: 'string', format: 'date' },
  i: integer,
  j: integer,
  n: { type: 'number' },
  z: { type: 'boolean' },
  ios: { 'x-kubernetes-int-or-string': true, maxLength: 8 },
  l: list(text(6), 10),
  k: list(text(3), 4),
  li: list(integer, 7),
  lu: list(text()),
  ll: list(list(integer, 3), 4),
  lo: list(object({ name: text(8), value: integer, tags: list(text(4), 3) }, ['name']), 5),
  ld: list({ type: 'string', format: 'duration' }, 3),
  m: map(text(9), 6),
  mu: map(integer),
  mo: map(object({ x: integer, y: text(3) }), 4),
  ml: map(list(text(2), 2), 3),
  o: object({ p: text(12), q: integer, r: object({ deep: text(2) }) }),
  'a-b': text(7),
  emb: {
    type: 'object',
    'x-kubernetes-embedded-resource': true,
    'x-kubernetes-preserve-unknown-fields': true,
  },
};

const texts =
  'self.s self.t self.e "abc" "" self.o.p self.l[0] self.m["k"] self.lo[0].name self.a__dash__b self.mo["z"].y ' +
  'string(self.i) self.s+self.t self.s.lowerAscii() (self.z?self.s:self.t) self.o.r.deep self.ml["k"][1] ' +
  'self.k.join(",") self.emb.metadata.name self.s.replace("a","bcd") self.?s.orValue("none") string(self.b)';
const numbers =
  '1 -3 self.i self.j self.li[0] self.mu["k"] size(self.s) self.l.size() int(self.s) self.lo[1].value ' +
  'self.o.q self.li.sum() self.s.indexOf("a") (self.i+self.j) self.li.max() self.d.getHours() self.w.getFullYear()';
const lists =
  'self.l self.k ["a",self.s] self.s.split(",") self.m.map(x,x) self.l.filter(x,x.size()>2) self.lo.map(x,x.name) ' +
  '(self.l+self.k) self.l.slice(1,3) self.s.findAll("a+") self.l.distinct() self.l.sort() self.l.reverse() self.ml["k"] ' +
  'self.lo[0].tags self.ll.flatten().map(x,string(x)) self.lo.map(x,x.tags).flatten()';
const booleans =
  'self.z true has(self.s) has(self.o.r.deep) (self.i>self.j) (self.s==self.t) self.l.exists(x,x==self.s) !self.z ' +
  '("a"~in~self.m) self.s.matches("^[a-z]+$") (self.s~in~self.l) (self.i~in~self.li)';

const split = (source: string): string[] =>
  source.split(' ').map((one) => one.replaceAll('~', ' '));
const operands: Readonly<Record<string, readonly string[]>> = {
  T: split(texts),
  N: split(numbers),
  L: split(lists),
  B: split(booleans),
};

/** `T`, `N`, `L` and `B` before a digit stand for an expression of that kind. */
const shapes = `
T1==T2 | T1!=T2 | T1<T2 | T1>=T2 | T1.contains(T2) | T1.startsWith(T2) | T1.endsWith(T2) | T1.matches(T2) |
matches(T1,T2) | T1 in [T2,T3] | size(T1)<N1 | T1.size()==N1 | T1.indexOf(T2)>0 | T1.lastIndexOf(T2,1)<2 |
T1.upperAscii()==T2 | T1.substring(1)==T2 | T1.substring(0,2)==T2 | T1.trim()==T2 | T1.charAt(0)==T2 |
T1.replace(T2,T3)==T1 | T1.replace(T2,T3,2).size()>N1 | T1.split(T2).size()>N1 | T1.split(T2,3).size()>N1 |
T1.find(T2)==T3 | T1.findAll(T2).size()<N1 | T1.findAll(T2,2).size()<N1 | "%s-%d".format([T1,N1])==T2 |
strings.quote(T1)==T2 | isIP(T1) | ip(T1).family()==4 | ip.isCanonical(T1) | isCIDR(T1) | cidr(T1).containsIP(T2) |
cidr(T1).containsIP(ip(T2)) | cidr(T1).containsCIDR(T2) | cidr(T1).prefixLength()<N1 | ip(T1)==ip(T2) | isURL(T1) |
url(T1).getHost()==T2 | quantity(T1).isGreaterThan(quantity(T2)) | isQuantity(T1) | quantity(T1)==quantity(T2) |
sign(quantity(T1).add(2))>0 | isSemver(T1) | semver(T1).major()>N1 |
format.dns1123Label().validate(T1).hasValue() | bytes(T1)==self.b | T1+T2==T3 | (T1+T2).contains(T3) |
type(T1)==string | dyn(T1)==dyn(N1) | duration(T1)<self.d | timestamp(T1)<self.w | N1==N2 | N1<N2 | N1+N2>N3 |
N1*N2!=N3 | N1%2==0 | -N1<N2 | N1-N2<=N3 | double(N1)<self.n | N1 in [N2,N3] | N1 in self.li | B1&&B2 | B1||B2 |
!B1 | B1==B2 | (B1?B2:B3) | B1&&(B2||B3) | B1 ? T1==T2 : N1<N2 | (B1 ? L1 : L2).size()>N1 | L1==L2 | L1.size()<N1 |
T1 in L1 | L1.all(x,x!=T1) | L1.exists(x,x.startsWith(T1)) | L1.exists_one(x,x==T1) |
L1.existsOne(i,x,x.size()>N1) | L1.all(x,L2.exists(y,x==y)) | L1.map(x,x+T1).size()<N1 |
L1.map(x,x.size()>1,x)==L2 | L1.filter(x,x.contains(T1)).size()>0 | L1.filter(x,x!=T1).all(y,y.matches(T2)) |
L1.join(T1)==T2 | L1.join().size()<N1 | L1.isSorted() | L1.min()==T1 | L1.max()<T1 | L1.indexOf(T1)<N1 |
L1.slice(0,N1)==L2 | (L1+L2).size()<N1 | (L1+L2).exists(x,x==T1) | L1.sort()==L2 | L1.reverse()==L2 |
L1.distinct().size()==L1.size() | L1.sortBy(x,x.size())==L2 | sets.contains(L1,L2) | sets.intersects(L1,L2) |
sets.equivalent(L1,L2) | L1.all(i,x,i<N1&&x!=T1) | L1.exists(i,x,x==T1) | L1.transformList(i,x,x+T1)==L2 |
L1.transformList(i,x,i>0,x).size()<N1 | L1.transformMap(i,x,x)[0]==T1 | L1[0].startsWith(T1) | L1[?0].hasValue() |
L1[?0].orValue(T1)==T2 | lists.range(5).all(x,x<N1) | [L1,L2].all(x,x.size()<N1) | {T1:N1}.size()==1 |
{"a":T1,"b":T2}["a"]==T3 | [T1,T2].exists(x,x==T3) | [T1,T2].all(x,x.matches(T3)) |
self.?o.?r.?deep.optMap(x,x==T1).orValue(false) | self.?o.?r.optFlatMap(x,x.?deep).orValue(T1)==T2 |
self.lo.all(x,x.name!=T1&&x.value<N1) | self.lo.all(x,x.tags.all(y,y!=x.name)) | self.lo.exists(x,T1 in x.tags) |
self.lo.map(x,x.tags).exists(x,x.size()>N1) | self.lo.all(x,self.lo.exists_one(y,x.name==y.name)) |
self.lo==self.lo | self.lo.filter(x,has(x.value)).map(x,x.name).all(y,y in L1) | self.m.all(k,k!=T1) |
self.m.all(k,self.m[k]!=T1) | self.m.exists(k,v,k==T1&&v==T2) | self.mo.all(k,self.mo[k].x<N1) |
self.mo.transformMap(k,v,v.y).all(k,k!=T1) | self.m==self.m | T1 in self.m |
self.m.map(k,self.m[k]).exists(x,x==T1) | self.ml.all(k,self.ml[k].exists(x,x==T1)) |
self.ml.transformMapEntry(k,v,{v[0]:k}).size()<N1 | self.ll.all(x,x.all(y,y<N1)) |
self.ll.map(x,x.sum()).max()<N1 | self.ld.sum()<self.d | self.ld.all(x,x<self.d) |
self.w<timestamp("2020-01-01T00:00:00Z") | self.w-self.w<self.d | self.y==self.w | self.d==duration("1s") |
self.ios==T1 | self.ios==N1 | type(self.ios)==int ? self.ios<N1 : self.ios.startsWith(T1) |
self.ios+self.ios==self.ios | self.b.size()<N1 | self.b+self.b==self.b | self.b<self.b | string(self.b)==T1 |
self.o==self.o | self.emb.kind==T1 | self.emb.metadata.name.startsWith(T1) | self.u.size()<N1 |
self.u.contains("a") | self.u==T1 | self.u<self.u | self.lu.size()<N1 | self.mu.size()<N1 |
self.mu.exists(k,self.mu[k]<N1) | self.z==true | self==self | oldSelf.s==T1 | self.l[0]+self.l[1]==T1 |
has(self.m.k)&&self.m.k==T1 | !has(self.emb) | --N1<N2 | !!B1 | null==null | self.l==["a","b"]
`;

/** The same in every run: a small generator of its own. */
function* draws(): Generator<number, never> {
  for (let state = 20_261_129; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

interface Rule {
  readonly rule: string;
  readonly messageExpression?: string;
}

/** One definition: rules, and how many items are allowed, on each of which they are. */
export interface Costly {
  readonly rules: readonly Rule[];
  readonly items?: number;
}
export interface Recorded extends Costly {
  readonly causes: readonly string[];
}

function ruleTexts(rounds: number): readonly string[] {
  const random = draws();
  const found = new Set<string>();
  const one = (kind: string): string => {
    const all = operands[kind] ?? [];
    return all[Math.floor(random.next().value * all.length)] ?? '';
  };
  const forms = shapes.trim().split(/ \|(?:\n| )/);
  for (const form of forms) {
    for (let round = 0; round < rounds; round += 1) {
      const chosen = new Map<string, string>();
      const rule = form.replaceAll(/\b([TNLB])\d\b/g, (name, kind: string) => {
        const value = chosen.get(name) ?? one(kind);
        chosen.set(name, value);
        return value;
      });
      found.add(rule);
    }
  }
  return [...found];
}

const GROUP = 'costs.example.com';

const dear = (rule: string): Rule => ({ rule: `self.u.contains(self.u) || ${rule}` });
const middling: Rule = { rule: 'self.lo.all(x, self.lo.all(y, x.name != y.name))' };

/** Rules that cost too much only together, without bounds, or by their messages. */
const together: readonly Costly[] = [
  { rules: [{ rule: 'self.i > 0' }] },
  { rules: [{ rule: 'self.s == self.t' }] },
  { rules: [middling] },
  { rules: [middling], items: 100 },
  ...[10_000, 20_000, 40_000, 45_000].map((items) => ({ rules: Array(12).fill(middling), items })),
  { rules: [middling, ...Array(9).fill({ rule: 'self.z' }), middling, middling], items: 450_000 },
  { rules: [dear('self.i > 0'), dear('self.z')], items: 1 },
  { rules: [{ rule: 'self.z', messageExpression: '"no " + self.s' }], items: 10 },
  { rules: [{ rule: 'self.z', messageExpression: 'self.lu.join(self.u)' }], items: 10 },
  { rules: [{ rule: 'self.z', messageExpression: 'self.lu.join(",")' }], items: 10 },
  { rules: [{ rule: 'self.lu.all(x, x != self.u)', messageExpression: 'self.u + self.u' }] },
  { rules: [{ rule: 'self.mu.all(k, k != self.u)' }, { rule: 'self.nothing' }] },
];

/** So many items that the sum is a little more than one rule may cost. */
export function costlyRules(rounds: number): readonly Costly[] {
  const measured = ruleTexts(rounds).map((rule) => {
    const item = { ...object(fields), 'x-kubernetes-validations': [{ rule }] };
    const node = compileRules(item as JsonSchema, false);
    const program = node?.rules[0];
    if (node === undefined || program === undefined) return { rules: [{ rule }] };
    const cost = costMax(node, program.program);
    return { rules: [{ rule }], items: cost === 0n ? 1 : Number(10_000_000n / cost) + 1 };
  });
  return [...measured, ...together];
}

export function definitionOf({ rules, items }: Costly): Record<string, unknown> {
  const item = { ...object(fields, ['s']), 'x-kubernetes-validations': rules };
  const keyed = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['s'] };
  const spec = object({ all: { ...list(item, items), ...keyed } });
  const schema = { openAPIV3Schema: object({ spec }) };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `things.${GROUP}` },
    spec: {
      group: GROUP,
      names: { kind: 'Thing', listKind: 'ThingList', plural: 'things', singular: 'thing' },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  };
}

const PLACE = 'spec.validation.openAPIV3Schema.properties[spec].properties[all].items';
const ADVICE =
  '(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)';

/** Without what is the same in all of them. */
export function shortCause(field: string, message: string): string {
  return `${field}: ${message}`.replace(PLACE, '$place').replace(ADVICE, '$advice');
}

export function ownCauses(one: Costly): readonly string[] {
  const causes = validateDefinitionSpec(definitionOf(one) as unknown as KubeObject, undefined);
  return causes.map(({ field = '', message }) => shortCause(field, message));
}
