// MutatingAdmissionPolicies and bindings that are wrong, each in its way, and some that are not.
import {
  applying,
  mutatingBindings as BINDINGS,
  mutatingPolicies as POLICIES,
  patching,
  rules,
} from './mutating-policy-parts.ts';
import { create, type Json } from './step-parts.ts';
import type { Step } from './step-player.ts';

const good: Json = {
  reinvocationPolicy: 'Never',
  matchConstraints: { resourceRules: rules('configmaps') },
  mutations: [applying('Object{}')],
};
const wrongSpecs: Readonly<Record<string, Json>> = {
  nothing: {},
  defaults: good,
  'no reinvocation': { ...good, reinvocationPolicy: undefined },
  'odd reinvocation': { ...good, reinvocationPolicy: 'Odd' },
  'odd failure policy': { ...good, failurePolicy: 'Odd' },
  'no mutations': { ...good, mutations: [] },
  'no patch type': { ...good, mutations: [{ applyConfiguration: { expression: 'Object{}' } }] },
  'odd patch type': {
    ...good,
    mutations: [{ patchType: 'Odd', applyConfiguration: { expression: 'Object{}' } }],
  },
  'no expression': { ...good, mutations: [{ patchType: 'ApplyConfiguration' }] },
  'empty expression': { ...good, mutations: [applying(' ')] },
  'empty patch': { ...good, mutations: [patching('')] },
  'no patch': { ...good, mutations: [{ patchType: 'JSONPatch' }] },
  both: {
    ...good,
    mutations: [{ ...applying('Object{}'), ...patching('[]'), patchType: 'ApplyConfiguration' }],
  },
  'both, as patch': { ...good, mutations: [{ ...applying('Object{}'), ...patching('[]') }] },
  delete: {
    ...good,
    matchConstraints: { resourceRules: [{ ...rules('pods')[0], operations: ['DELETE'] }] },
  },
  'variables in mutation': {
    ...good,
    variables: [{ name: 'a', expression: 'object.metadata.name' }],
    mutations: [applying('Object{metadata: Object.metadata{name: variables.a}}')],
  },
  'unknown variable': {
    ...good,
    mutations: [applying('Object{metadata: Object.metadata{name: variables.a}}')],
  },
  'params without a kind': {
    ...good,
    mutations: [applying('Object{metadata: Object.metadata{name: params.a}}')],
  },
  'literal in variable': { ...good, variables: [{ name: 'a', expression: 'Object{}' }] },
  'literal in condition': {
    ...good,
    matchConditions: [{ name: 'a', expression: 'Object{} == 5' }],
  },
  'variables in condition': {
    ...good,
    variables: [{ name: 'a', expression: 'true' }],
    matchConditions: [{ name: 'a', expression: 'variables.a' }],
  },
};
const wrongConfigurations = [
  'object',
  '{"a": "b"}',
  'Object.spec{}',
  '[Object{}]',
  'true',
  '"a"',
  'null',
  'dyn(1)',
  'object.spec',
  'Object{',
  'Object{spec}',
  'Object{spec: }',
  'Object{spec: Object.spec{a: 1}',
  'Object{spec: nope}',
  'Object{spec: Object.spec{x: 1 + "a"}}',
  'Thing{}',
  'JSONPatch{op: "add"}',
  'Object{a: 1, a: 2}',
  'true ? Object{} : Object.spec{}',
  'Object{spec: Object.spec{containers: object.spec.containers.map(c, Object.spec.containers{name: c.name + 1})}}',
  'Object{spec: Object.spec{containers: [Object.spec.containers{name: "a"}, 5]}}',
  'Object{}.spec',
  'Object{spec: Object.spec{?a: "b"}}',
  'Object{"a": 1}',
  'Object{spec: 1,}',
];
const wrongPatches = [
  'object',
  'JSONPatch{op: "add", path: "/a"}',
  '[Object{}]',
  '["a"]',
  '[1, JSONPatch{}]',
  '{}',
  '[JSONPatch{}]',
  '[JSONPatch{op: 1}]',
  '[JSONPatch{path: true}]',
  '[JSONPatch{from: ["a"]}]',
  '[JSONPatch{odd: 1}]',
  '[JSONPatch{op: object.a}]',
  '[JSONPatch{op: "add", path: jsonpatch.escapeKey(5)}]',
  'jsonpatch.escapeKey("a/b")',
  '[JSONPatch{op: "add" path: "a"}]',
  '[JSONPatch{op: nope, path: "/a"}]',
  'object.items',
  'object.items.map(i, JSONPatch{op: "add"})',
  'object.items.map(i, i)',
  'true ? [] : [JSONPatch{}]',
  '[JSONPatch{op: "add"}].filter(p, p.op == "add")',
  '[JSONPatch{op: "add"}].map(p, p.path)',
];

export function mutatingPolicyMistakes(): Step[] {
  const path = `${POLICIES}?dryRun=All`;
  const metadata = { name: 'wrong' };
  const binding = (name: string, spec: Json): Step =>
    create(`binding: ${name}`, `${BINDINGS}?dryRun=All`, { metadata, spec });
  return [
    ...Object.entries(wrongSpecs).map(([name, spec]) =>
      create(`wrong: ${name}`, path, { metadata, spec }),
    ),
    ...wrongConfigurations.map((one) =>
      create(`configuration: ${one}`, path, {
        metadata,
        spec: { ...good, mutations: [applying(one)] },
      }),
    ),
    ...wrongPatches.map((one) =>
      create(`patch: ${one}`, path, { metadata, spec: { ...good, mutations: [patching(one)] } }),
    ),
    binding('nothing', {}),
    binding('right', { policyName: 'a' }),
    binding('wrong name', { policyName: 'A b' }),
    binding('empty ref', { policyName: 'a', paramRef: {} }),
    binding('ref without action', { policyName: 'a', paramRef: { name: 'a' } }),
    binding('ref with both', {
      policyName: 'a',
      paramRef: { name: 'a', selector: {}, parameterNotFoundAction: 'Odd' },
    }),
    binding('deletes', {
      policyName: 'a',
      matchResources: { resourceRules: [{ ...rules('pods')[0], operations: ['DELETE'] }] },
    }),
    binding('connects', {
      policyName: 'a',
      matchResources: { resourceRules: [{ ...rules('pods')[0], operations: ['CONNECT', '*'] }] },
    }),
  ];
}
