// Definitions of custom resources and their objects, as steps have them.
import type { Step } from './step-player.ts';

export type Json = Record<string, unknown>;

export const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
export const group = 'steps.example.com';

export function definition(plural: string, kind: string, version: Json, extra: Json = {}): Json {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
      versions: [{ name: 'v1', served: true, storage: true, ...version }],
      ...extra,
    },
  };
}

const established = (status: number, body: Json): boolean => {
  const conditions = ((body['status'] as Json | undefined)?.['conditions'] ?? []) as Json[];
  const is = (type: string): boolean =>
    conditions.some((one) => one['type'] === type && one['status'] === 'True');
  return status === 200 && is('Established');
};

/** Creates a definition and waits until its objects are served. */
export function served(name: string, body: Json): Step[] {
  const plural = ((body['spec'] as Json)['names'] as Json)['plural'] as string;
  const path = `${CRDS}/${plural}.${group}`;
  return [
    { name: `${name}: define`, method: 'POST', path: CRDS, body, isSilent: true },
    { name: `${name}: established`, method: 'GET', path, until: established, isSilent: true },
    {
      name: `${name}: served`,
      method: 'GET',
      path: `/apis/${group}/v1/namespaces/default/${plural}`,
      until: (status) => status === 200,
      isSilent: true,
    },
  ];
}

export const objects = (plural: string, version = 'v1'): string =>
  `/apis/${group}/${version}/namespaces/default/${plural}`;

export function object(kind: string, name: string, rest: Json, version = 'v1'): Json {
  return { apiVersion: `${group}/${version}`, kind, metadata: { name }, ...rest };
}
