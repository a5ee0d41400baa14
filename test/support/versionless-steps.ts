// Updates that do not say which version they are of: of some kinds nobody may.
import { kinds, type KindCase } from './kube-differential/kinds.ts';
import { below, place, quiet } from './step-makers.ts';
import type { Step } from './step-player.ts';

/** Some are marked at any time. */
const others = new Set(['namespaces', 'flowschemas', 'prioritylevelconfigurations']);
const SPACE = 'versionless';

function stepsOf({
  apiVersion,
  kind,
  resource,
  base,
  name = 'one',
  isClusterWide,
}: KindCase): Step[] {
  const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  const all = `${isClusterWide === true ? root : below(apiVersion, SPACE)}/${resource}`;
  const body = { apiVersion, kind, metadata: { name }, ...base };
  const json = 'application/json';
  return [
    quiet({ name: `create ${apiVersion} ${kind}`, method: 'POST', path: all, type: json, body }),
    {
      name: `update ${apiVersion} ${kind}`,
      method: 'PUT',
      path: `${all}/${name}?dryRun=All`,
      type: json,
      body,
    },
    quiet({ name: `delete ${apiVersion} ${kind}`, method: 'DELETE', path: `${all}/${name}` }),
  ];
}

export const versionlessSteps = (): Step[] => [
  ...place(SPACE),
  ...kinds.filter(({ resource }) => !others.has(resource)).flatMap(stepsOf),
];
