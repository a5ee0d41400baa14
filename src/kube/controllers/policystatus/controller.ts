// Feeds policystatus/core.ts with policies that nobody has looked at, and with the schemas of what they match, as the
// server publishes them.
import { errorChain } from '#base/fault.ts';
import type { TypedSchema } from '#kube/cel/declared-types.ts';
import type { KubeClient } from '#kube/client/client.ts';
import { discoverVersions } from '#kube/client/discovery.ts';
import { keyOf } from '#kube/client/informer-store.ts';
import { validatingAdmissionPolicies } from '#kube/client/resources.ts';
import { nothing } from '#kube/controllers/effects.ts';
import { Controller, followOwn, type ControllerServices } from '#kube/controllers/frame.ts';
import type { GroupVersionKind, KubeObject } from '#kube/meta/object.ts';
import { ApiError } from '#kube/meta/status.ts';
import {
  doubtsOf,
  isUnchecked,
  statusOf,
  warningsOf,
  type CheckedKind,
  type Doubts,
} from './core.ts';
import { matchedTypes } from './matched-types.ts';
import { schemaOf, type OpenApiV3 } from './schemas.ts';

interface CheckedTypes {
  /** Of `object` and `oldObject`, in the order in which they are told. */
  readonly objects: readonly CheckedKind[];
  /** Of `params`; undefined: anything. */
  readonly params?: CheckedKind | undefined;
}

/** Schemas that are kept: policies often match the same few kinds. */
const KEPT_MAX = 16;

interface Index {
  readonly paths: Readonly<Record<string, { readonly serverRelativeURL: string }>>;
}

/** Schemas by where they are published: an address changes with what is there. */
class Schemas {
  readonly #client: KubeClient;
  readonly #kept = new Map<string, TypedSchema | undefined>();

  constructor(client: KubeClient) {
    this.#client = client;
  }

  async #read(path: string): Promise<unknown> {
    const accept = 'application/json';
    return JSON.parse((await this.#client.request({ method: 'GET', path, accept })).text);
  }

  /** Without those that are not published. */
  async all(kinds: readonly GroupVersionKind[]): Promise<CheckedKind[]> {
    const { paths } = (await this.#read('/openapi/v3')) as Index;
    const found: CheckedKind[] = [];
    for (const kind of kinds) {
      const { group, version } = kind;
      const url = paths[group === '' ? `api/${version}` : `apis/${group}/${version}`];
      if (url === undefined) continue;
      const schema = await this.#one(url.serverRelativeURL, kind);
      if (schema !== undefined) found.push({ kind, schema });
    }
    return found;
  }

  async #one(url: string, kind: GroupVersionKind): Promise<TypedSchema | undefined> {
    const key = `${kind.kind} ${url}`;
    if (!this.#kept.has(key)) {
      let document: OpenApiV3;
      try {
        document = (await this.#read(url)) as OpenApiV3;
      } catch (error) {
        // Another server's, which does not answer, or what went between the two questions.
        if (error instanceof ApiError) return undefined;
        throw error;
      }
      this.#kept.set(key, schemaOf(document, kind));
      const [oldest] = this.#kept.keys();
      if (this.#kept.size > KEPT_MAX && oldest !== undefined) this.#kept.delete(oldest);
    }
    return this.#kept.get(key);
  }
}

function paramKindOf(policy: KubeObject): GroupVersionKind | undefined {
  const given = policy['spec']?.paramKind as { apiVersion?: string; kind?: string } | undefined;
  if (!given) return undefined;
  const parts = (given.apiVersion ?? '').split('/');
  const version = parts.pop() ?? '';
  return { group: parts[0] ?? '', version, kind: given.kind ?? '' };
}

export function policyStatusController(services: ControllerServices): Controller {
  const { client, informers, env } = services;
  const all = informers.informer(validatingAdmissionPolicies);
  const schemas = new Schemas(client);

  const typesOf = async (policy: KubeObject): Promise<CheckedTypes> => {
    const matched = matchedTypes(policy, await discoverVersions(client));
    if (matched.length === 0) return { objects: [] };
    const objects = await schemas.all(matched);
    const paramKind = paramKindOf(policy);
    if (paramKind === undefined) return { objects };
    const [params] = await schemas.all([paramKind]);
    return { objects, params };
  };

  /** Big types take some milliseconds: whoever waits comes in between. */
  const doubtsOfAll = async (policy: KubeObject, types: CheckedTypes): Promise<Doubts[]> => {
    const found: Doubts[] = [];
    for (const one of types.objects) {
      await new Promise<void>((done) => env.timers.after(0, done));
      try {
        found.push(doubtsOf(policy, one, types.params));
      } catch (error) {
        // A schema that nobody has thought of: the policy counts as looked at nevertheless.
        const fields = { policy: policy.metadata.name, error: errorChain(error) };
        env.log.warn('The types of a policy could not be checked', fields);
      }
    }
    return found;
  };

  const controller = new Controller(
    {
      name: 'policystatus',
      component: 'validatingadmissionpolicy-status-controller',
      needs: [all],
      keys: () => all.list().map(keyOf),
      reconcile: async (name) => {
        const policy = all.get(name);
        if (policy === undefined || !isUnchecked(policy)) return nothing;
        const doubts = await doubtsOfAll(policy, await typesOf(policy));
        return { effects: [statusOf(policy, warningsOf(policy, doubts))] };
      },
      // Checks of big types are not made side by side.
      workersMax: 1,
    },
    services,
  );
  followOwn(all, controller);
  return controller;
}
