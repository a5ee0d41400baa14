// Requests of which stories of the API server are made, again and again.
import type { Step } from './step-player.ts';

export type Json = Record<string, unknown>;

/** Its answer is not compared. */
export const silent = { isSilent: true } as const;

export function create(name: string, path: string, body: Json, more: Partial<Step> = {}): Step {
  return { name, method: 'POST', path, body, ...more };
}

/** A namespace, and the account that its pods have; `more` is of the namespace. */
export function namespace(name: string, metadata: Json = {}, more: Partial<Step> = silent): Step[] {
  return [
    create(`namespace ${name}`, '/api/v1/namespaces', { metadata: { name, ...metadata } }, more),
    create(
      `account of ${name}`,
      `/api/v1/namespaces/${name}/serviceaccounts`,
      { metadata: { name: 'default' }, automountServiceAccountToken: false },
      silent,
    ),
  ];
}

/** Where pods are made that are not kept. */
export const dryPods = (place: string): string => `/api/v1/namespaces/${place}/pods?dryRun=All`;

export const aPod = (spec: Json = {}, container: Json = {}): Json => ({
  metadata: { name: 'p' },
  spec: { containers: [{ name: 'main', image: 'a:1', ...container }], ...spec },
});
