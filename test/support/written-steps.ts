// Bodies that say the same in other ways: numbers with points and exponents, and what YAML has beyond JSON.
import { below, place } from './step-makers.ts';
import type { Step } from './step-player.ts';

const yaml = (name: string, path: string, body: string): Step => ({
  name,
  method: 'POST',
  path,
  body,
  type: 'application/yaml',
});
const raw = (name: string, path: string, body: string): Step => ({
  name,
  method: 'POST',
  path,
  body,
});
export function writtenSteps(): Step[] {
  const space = 'used-written';
  const pods = `${below('v1', space)}/pods`;
  const maps = `${below('v1', space)}/configmaps`;
  const p = (more: string) =>
    `{"metadata":{"name":"x"},"spec":{"containers":[{"name":"c","image":"a"}],${more}}}`;
  const d = '?dryRun=All';
  return [
    ...place(space),
    raw('1e2', pods + d, p('"activeDeadlineSeconds":1e2')),
    raw('1.0', pods + d, p('"activeDeadlineSeconds":1.0')),
    raw('1.5', pods + d, p('"activeDeadlineSeconds":1.5')),
    raw('1E+2 in priority', pods + d, p('"terminationGracePeriodSeconds":1E+2')),
    raw('big', pods + d, p('"activeDeadlineSeconds":99999999999999999999')),
    raw(
      'quantity 1e3',
      pods + d,
      `{"metadata":{"name":"x"},"spec":{"containers":[{"name":"c","image":"a","resources":{"limits":{"cpu":1e3,"memory":1.50}}}]}}`,
    ),
    raw(
      'port 8e1',
      pods + d,
      `{"metadata":{"name":"x"},"spec":{"containers":[{"name":"c","image":"a","ports":[{"containerPort":8e1}]}]}}`,
    ),
    raw(
      'intstr 8e1',
      pods + d,
      `{"metadata":{"name":"x"},"spec":{"containers":[{"name":"c","image":"a","livenessProbe":{"httpGet":{"port":8e1}}}]}}`,
    ),
    raw('minus zero', pods + d, p('"activeDeadlineSeconds":-0')),
    yaml('yaml inf', maps + d, 'metadata:\n  name: x\ndata:\n  a: .inf\n'),
    yaml('yaml nan', maps + d, 'metadata:\n  name: x\ndata:\n  a: .NaN\n'),
    yaml('yaml null key', maps + d, 'metadata:\n  name: x\ndata:\n  ~: x\n'),
    yaml('yaml null key word', maps + d, 'metadata:\n  name: x\ndata:\n  null: x\n'),
    yaml('yaml empty key', maps + d, 'metadata:\n  name: x\ndata:\n  ? \n  : x\n'),
    yaml('yaml true key', maps + d, 'metadata:\n  name: x\ndata:\n  true: x\n'),
    yaml('yaml yes key', maps + d, 'metadata:\n  name: x\ndata:\n  yes: x\n'),
    yaml('yaml number key', maps + d, 'metadata:\n  name: x\ndata:\n  1: x\n  1.5: y\n  1e3: z\n'),
    yaml('yaml inf key', maps + d, 'metadata:\n  name: x\ndata:\n  .inf: x\n'),
    yaml('yaml list key', maps + d, 'metadata:\n  name: x\ndata:\n  [a]: x\n'),
    yaml('yaml map key', maps + d, 'metadata:\n  name: x\ndata:\n  {a: b}: x\n'),
    yaml(
      'yaml 1e2',
      pods + d,
      'metadata:\n  name: x\nspec:\n  activeDeadlineSeconds: 1e2\n  containers: [{name: c, image: a}]\n',
    ),
    yaml(
      'yaml hex',
      pods + d,
      'metadata:\n  name: x\nspec:\n  activeDeadlineSeconds: 0x10\n  containers: [{name: c, image: a}]\n',
    ),
    yaml(
      'yaml octal',
      pods + d,
      'metadata:\n  name: x\nspec:\n  activeDeadlineSeconds: 010\n  containers: [{name: c, image: a}]\n',
    ),
    yaml(
      'yaml octal new',
      pods + d,
      'metadata:\n  name: x\nspec:\n  activeDeadlineSeconds: 0o10\n  containers: [{name: c, image: a}]\n',
    ),
    yaml(
      'yaml underscore',
      pods + d,
      'metadata:\n  name: x\nspec:\n  activeDeadlineSeconds: 1_000\n  containers: [{name: c, image: a}]\n',
    ),
    yaml('yaml date', maps + d, 'metadata:\n  name: x\ndata:\n  a: 2026-01-02\n'),
    yaml('yaml binary', maps + d, 'metadata:\n  name: x\ndata:\n  a: !!binary eA==\n'),
    yaml(
      'yaml merge',
      maps + d,
      'metadata:\n  name: x\n  labels: &l {a: b}\n  annotations:\n    <<: *l\n    c: d\n',
    ),
    yaml('yaml two documents', maps + d, 'metadata:\n  name: x\n---\nmetadata:\n  name: y\n'),
    yaml('yaml of nothing', maps + d, '# nothing\n'),
    yaml('yaml tag', maps + d, 'metadata:\n  name: x\ndata:\n  a: !odd x\n'),
    raw(
      'times',
      `${below('coordination.k8s.io/v1', space)}/leases${d}`,
      '{"metadata":{"name":"x","creationTimestamp":"2026-01-02T03:04:05.5+02:00"}}',
    ),
  ];
}
