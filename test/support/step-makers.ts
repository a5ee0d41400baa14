// Steps in few words: what is sent to which path, by which kind of patch, and the places where it happens.
import type { Step } from './step-player.ts';

export type Json = Record<string, unknown>;

const types = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
};

export const post = (name: string, path: string, body: Json): Step => ({
  name,
  method: 'POST',
  path,
  body,
});
export const put = (name: string, path: string, body: Json): Step => ({
  name,
  method: 'PUT',
  path,
  body,
});
export const get = (name: string, path: string): Step => ({ name, method: 'GET', path });
export const remove = (name: string, path: string, body?: Json): Step => ({
  name,
  method: 'DELETE',
  path,
  ...(body === undefined ? {} : { body }),
});
export const patch = (
  name: string,
  path: string,
  body: unknown,
  type: keyof typeof types = 'merge',
): Step => ({ name, method: 'PATCH', path, body, type: types[type] });

export const quiet = (step: Step): Step => ({ ...step, isSilent: true });

/** A namespace with its account. */
export function place(name: string): Step[] {
  return [
    quiet(post(`namespace ${name}`, '/api/v1/namespaces', { metadata: { name } })),
    quiet(
      post(`account of ${name}`, `/api/v1/namespaces/${name}/serviceaccounts`, {
        metadata: { name: 'default' },
        automountServiceAccountToken: false,
      }),
    ),
  ];
}

export const below = (group: string, space: string): string =>
  group === 'v1' ? `/api/v1/namespaces/${space}` : `/apis/${group}/namespaces/${space}`;
