// Webhooks and policies of files (staticManifestsDir): they are there before anybody can ask for anything, nobody
// changes them by the API, and they also judge the configurations of admission. The folder is read again when it
// changes; what cannot be used leaves all as it was (kube-apiserver v1.37).
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { parse } from 'yaml';
import { Fault } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import { WatchedFiles } from '#env/watched-files.ts';
import { decodeObject, type DecodeContext } from '#kube/apiserver/decoding.ts';
import { applyDefaults } from '#kube/meta/defaulting.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { ResourceRegistry } from '#kube/meta/resource-info.ts';
import { validateManifest } from '#kube/meta/validation.ts';
import { validateAdmissionConfiguration } from './policy-validation.ts';
import type { Webhook } from './webhook-call.ts';

const GROUP = 'admissionregistration.k8s.io';
const SUFFIX = '.static.k8s.io';
const EXTENSIONS = ['.yaml', '.yml', '.json'];

/** By plugin: the kinds that its folder may have. */
const kindsOf = {
  ValidatingAdmissionWebhook: ['ValidatingWebhookConfiguration'],
  MutatingAdmissionWebhook: ['MutatingWebhookConfiguration'],
  ValidatingAdmissionPolicy: ['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding'],
  MutatingAdmissionPolicy: ['MutatingAdmissionPolicy', 'MutatingAdmissionPolicyBinding'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type ManifestPlugin = keyof typeof kindsOf;

/** Who is told that a folder has been read; `hash` of what it has, '' of nothing. */
export type OnLoaded = (plugin: ManifestPlugin, hash: string | undefined) => void;

export interface ManifestOptions {
  readonly plugin: ManifestPlugin;
  readonly folder: string;
  readonly registry: ResourceRegistry;
  readonly onLoaded: OnLoaded;
}

interface Loaded {
  readonly hash: string;
  readonly byResource: ReadonlyMap<string, readonly KubeObject[]>;
  readonly objects: ReadonlySet<KubeObject>;
}

export class StaticManifests {
  readonly #options: ManifestOptions;
  #loaded: Loaded;
  #files: WatchedFiles | undefined;

  /** Throws Fault for a folder that cannot be used. */
  constructor(options: ManifestOptions) {
    this.#options = options;
    const { plugin, folder, onLoaded } = options;
    try {
      this.#loaded = load(options);
    } catch (error) {
      const why = `Cannot use the manifests of ${plugin}: ${(error as Error).message}`;
      throw new Fault({ code: 'bad-configuration', path: folder }, why, { cause: error });
    }
    onLoaded(plugin, this.#loaded.hash);
  }

  watch(env: Pick<Env, 'timers' | 'log'>): void {
    const { plugin, folder, onLoaded } = this.#options;
    const onChange = (): void => {
      let next: Loaded;
      try {
        next = load(this.#options);
      } catch (error) {
        onLoaded(plugin, undefined);
        throw error;
      }
      if (next.hash === this.#loaded.hash) return;
      this.#loaded = next;
      onLoaded(plugin, next.hash);
    };
    this.#files = new WatchedFiles({ files: [], folders: [folder] }, onChange, env);
  }

  close(): void {
    this.#files?.close();
  }

  /** Whether it is one of these. */
  has(object: KubeObject): boolean {
    return this.#loaded.objects.has(object);
  }

  /** In the order of their names. */
  all(resource: string): readonly KubeObject[] {
    return this.#loaded.byResource.get(resource) ?? [];
  }
}

function load({ plugin, folder, registry }: ManifestOptions): Loaded {
  const hash = createHash('sha256');
  const found = new Map<string, Map<string, KubeObject>>();
  let isEmpty = true;
  for (const name of readdirSync(folder).toSorted()) {
    if (!EXTENSIONS.includes(extname(name).toLowerCase())) continue;
    const path = join(folder, name);
    const bytes = readFileSync(path);
    if (bytes.length === 0) continue;
    isEmpty = false;
    hash.update(bytes).update(Buffer.of(0));
    try {
      for (const value of documentsOf(bytes.toString()))
        for (const one of objectsIn(value, kindsOf[plugin], registry)) take(found, one, path);
    } catch (error) {
      throw new Error(`error loading ${path}: ${wordsOf(error)}`, { cause: error });
    }
  }
  const byResource = new Map<string, readonly KubeObject[]>();
  for (const [resource, objects] of found) {
    const entries = [...objects].sort(([a], [b]) => (a < b ? -1 : 1));
    byResource.set(
      resource,
      entries.map(([, object]) => object),
    );
  }
  checkReferences(byResource);
  const objects = new Set([...byResource.values()].flat());
  return { hash: isEmpty ? '' : `sha256:${hash.digest('hex')}`, byResource, objects };
}

const wordsOf = (error: unknown): string =>
  error instanceof Error ? error.message : JSON.stringify(error);

function documentsOf(text: string): unknown[] {
  return text
    .split(/^---(?:[ \t].*)?$/m)
    .filter((one) => one.trim() !== '')
    .map((one) => parse(one) as unknown)
    .filter((one) => one !== null);
}

interface Item {
  readonly resource: string;
  readonly object: KubeObject;
}

function objectsIn(value: unknown, kinds: readonly string[], registry: ResourceRegistry): Item[] {
  const { apiVersion, kind = '', items } = (value ?? {}) as Record<string, unknown>;
  const listed = (items ?? []) as unknown[];
  if (apiVersion === 'v1' && kind === 'List')
    return listed.flatMap((one) => objectsIn(one, kinds, registry));
  const list = kinds.find((one) => kind === `${one}List`);
  if (list !== undefined)
    return listed.map((one) => accepted({ ...(one as object), apiVersion, kind: list }, registry));
  if (!kinds.includes(String(kind)))
    throw new Error(`unsupported resource type ${String(apiVersion)}, Kind=${String(kind)}`);
  return [accepted(value as object, registry)];
}

function accepted(value: object, registry: ResourceRegistry): Item {
  const { apiVersion, kind = '' } = value as { apiVersion?: unknown; kind?: string };
  const info = registry.byKind(GROUP, 'v1', kind);
  if (info === undefined || apiVersion !== `${GROUP}/v1`)
    throw new Error(
      `no kind ${JSON.stringify(kind)} is registered for version "${String(apiVersion)}"`,
    );
  const context: DecodeContext = {
    info,
    subresource: undefined,
    fieldValidation: 'Strict',
    warnings: [],
  };
  const object = decodeObject(registry, context, value, []);
  applyDefaults(info, object);
  const causes = [
    ...validateManifest(info, object),
    ...validateAdmissionConfiguration(object, undefined),
  ];
  if (causes.length > 0) {
    const texts = causes.map(({ field, message }) => `${field}: ${message}`).join(', ');
    throw new Error(`${kind} ${JSON.stringify(object.metadata.name ?? '')}: ${texts}`);
  }
  return { resource: info.resource, object };
}

function take(
  found: Map<string, Map<string, KubeObject>>,
  { resource, object }: Item,
  path: string,
): void {
  const { name = '' } = object.metadata;
  const quoted = [name, path].map((one) => JSON.stringify(one));
  if (name === '') throw new Error(`resource in file ${quoted[1]} must have a name`);
  if (!name.endsWith(SUFFIX))
    throw new Error(`${quoted[0]} in file ${quoted[1]} must have a name ending with "${SUFFIX}"`);
  const known = found.getOrInsertComputed(resource, () => new Map<string, KubeObject>());
  if (known.has(name)) throw new Error(`duplicate name ${quoted[0]} found in file ${quoted[1]}`);
  checkAlone(object, name, path);
  known.set(name, object);
}

/** Nothing of the cluster is there to be asked when they are. */
function checkAlone(object: KubeObject, name: string, path: string): void {
  const quoted = JSON.stringify(name);
  for (const { name: webhook, clientConfig } of (object['webhooks'] ?? []) as Webhook[]) {
    const head = `webhook ${JSON.stringify(webhook)} in ${quoted} (file ${JSON.stringify(path)})`;
    if (clientConfig.service !== undefined) {
      const instead = 'use clientConfig.url instead';
      throw new Error(
        `${head}: clientConfig.service is not supported for static manifests; ${instead}`,
      );
    }
    if ((clientConfig.url ?? '') === '')
      throw new Error(`${head}: clientConfig.url is required for static manifests`);
  }
  const spec = (object['spec'] ?? {}) as Record<string, unknown>;
  if (spec['paramKind'] !== undefined) {
    const why = 'spec.paramKind is not supported for static manifests';
    throw new Error(`${object.kind} ${quoted}: ${why}`);
  }
  if (!object.kind.endsWith('Binding')) return;
  const policy = String(spec['policyName'] ?? '');
  if (!policy.endsWith(SUFFIX)) {
    const why = `spec.policyName ${JSON.stringify(policy)} must end with "${SUFFIX}"`;
    throw new Error(`binding ${quoted}: ${why}`);
  }
  if (spec['paramRef'] !== undefined)
    throw new Error(`binding ${quoted}: spec.paramRef is not supported for static manifests`);
}

function checkReferences(byResource: Loaded['byResource']): void {
  for (const kind of ['validating', 'mutating']) {
    const names = new Set(
      byResource.get(`${kind}admissionpolicies`)?.map(({ metadata }) => metadata.name),
    );
    for (const { metadata, spec } of byResource.get(`${kind}admissionpolicybindings`) ?? []) {
      const { policyName } = spec as { policyName: string };
      if (names.has(policyName)) continue;
      const [binding, policy] = [metadata.name, policyName].map((one) => JSON.stringify(one));
      const why = 'which does not exist in the manifest directory';
      throw new Error(`binding ${binding} references policy ${policy} ${why}`);
    }
  }
}
