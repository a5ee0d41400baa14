// Updates that do not say which version they are of, or say 0: of some kinds nobody may.
import { kinds, type KindCase } from './kube-differential/kinds.ts';
import { below, place, quiet } from './step-makers.ts';
import { create, silent, type Json } from './step-parts.ts';
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
  const zero = { ...body, metadata: { name, resourceVersion: '0' } };
  const merge = 'application/merge-patch+json';
  const one = `${all}/${name}?dryRun=All`;
  return [
    quiet({ name: `create ${apiVersion} ${kind}`, method: 'POST', path: all, type: json, body }),
    { name: `update ${apiVersion} ${kind}`, method: 'PUT', path: one, type: json, body },
    { name: `update ${apiVersion} ${kind} of 0`, method: 'PUT', path: one, type: json, body: zero },
    {
      name: `patch ${apiVersion} ${kind} of 0`,
      method: 'PATCH',
      path: one,
      type: merge,
      body: { metadata: { resourceVersion: '0', labels: { a: 'b' } } },
    },
    quiet({ name: `delete ${apiVersion} ${kind}`, method: 'DELETE', path: `${all}/${name}` }),
  ];
}

/** A pod by what its maker wrote: the priority that it got on the way in is not there. */
function podSteps(): Step[] {
  const all = `/api/v1/namespaces/${SPACE}/pods`;
  const account = { serviceAccountName: 'default', serviceAccount: 'default' };
  const body = (image: string): Json => ({
    metadata: { name: 'plain' },
    spec: {
      ...account,
      automountServiceAccountToken: false,
      containers: [{ name: 'main', image }],
    },
  });
  return [
    create('create a plain pod', all, body('a:1'), silent),
    { name: 'update a plain pod', method: 'PUT', path: `${all}/plain`, body: body('a:2') },
  ];
}

export const versionlessSteps = (): Step[] => [
  ...place(SPACE),
  ...kinds.filter(({ resource }) => !others.has(resource)).flatMap(stepsOf),
  ...podSteps(),
];
