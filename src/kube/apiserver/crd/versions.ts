// The versions of one definition: objects are stored in one of them and read in any. Between them only the
// version's name changes (None), or a webhook converts; what a version does not know is pruned, and
// defaults that the stored version has now are filled in at every read.
import { applySchemaDefaults } from '#kube/meta/defaulting.ts';
import { validateAnnotations, validateLabels } from '#kube/meta/names.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { decodeStrict } from '#kube/meta/pruning.ts';
import type { ObjectCodec, ResourceInfo } from '#kube/meta/resource-info.ts';
import type { Schema } from '#kube/meta/schema.ts';
import { ApiError } from '#kube/meta/status.ts';
import {
  callWebhook,
  WebhookFailure,
  type Callers,
  type ClientConfig,
} from '#kube/apiserver/webhook-client.ts';
import { isObject } from './json-schema.ts';
import { repairMetadata } from './object-metadata.ts';

const CONVERSION_MS = 30_000;

export interface Conversion {
  readonly strategy?: string;
  readonly webhook?: {
    readonly clientConfig?: ClientConfig;
    readonly conversionReviewVersions?: readonly string[];
  };
}

export interface VersionServices extends Callers {
  readonly uuid: () => string;
}

export interface VersionSet {
  readonly group: string;
  readonly kind: string;
  readonly storageVersion: string;
  /** Of every version, served or not. */
  readonly schemas: ReadonlyMap<string, Schema>;
  readonly conversion: Conversion;
}

function failure(message: string): ApiError {
  return new ApiError(500, '', message);
}

export class Versions {
  readonly #set: VersionSet;
  readonly #services: VersionServices;

  constructor(set: VersionSet, services: VersionServices) {
    this.#set = set;
    this.#services = services;
  }

  get #isWebhook(): boolean {
    return this.#set.conversion.strategy === 'Webhook';
  }

  #prune(version: string, object: KubeObject): KubeObject {
    const schema = this.#set.schemas.get(version);
    if (schema === undefined) return object;
    return decodeStrict(schema, object, false).value as KubeObject;
  }

  /** The stored object, pruned and defaulted in the version that it is stored in. */
  #stored(object: KubeObject): KubeObject {
    const version = versionOf(object);
    const pruned = this.#prune(version, object);
    const schema = this.#set.schemas.get(version);
    if (schema === undefined) return pruned;
    repairMetadata(schema, pruned);
    applySchemaDefaults(schema, pruned);
    return pruned;
  }

  codec(info: Pick<ResourceInfo, 'version'>): ObjectCodec {
    const { group, storageVersion } = this.#set;
    const apiVersion = `${group}/${info.version}`;
    const finished = (object: KubeObject): KubeObject => {
      if (versionOf(object) === info.version) return object;
      return this.#prune(info.version, { ...object, apiVersion });
    };
    return {
      mayCall: this.#isWebhook,
      needsCall: (stored) => this.#isWebhook && stored.apiVersion !== apiVersion,
      read: (stored) => finished(this.#stored(stored)),
      readAll: async (stored) => {
        const objects = stored.map((one) => this.#stored(one));
        const converted = await this.#call(objects, apiVersion);
        return converted.map((one) => this.#prune(info.version, one));
      },
      write: async (object) => {
        const target = `${group}/${storageVersion}`;
        if (object.apiVersion === target) return object;
        if (!this.#isWebhook) return this.#prune(storageVersion, { ...object, apiVersion: target });
        const [converted] = await this.#call([object], target);
        return this.#prune(storageVersion, converted ?? object);
      },
      convert: async (object, wanted) => (await this.#call([object], wanted))[0] ?? object,
    };
  }

  async #call(objects: readonly KubeObject[], apiVersion: string): Promise<KubeObject[]> {
    const { conversion, kind, group } = this.#set;
    const wanted = objects.filter((one) => one.apiVersion !== apiVersion);
    const [first] = wanted;
    if (first === undefined) return [...objects];
    const head = `conversion webhook for ${group}/${versionOf(first)}, Kind=${kind}`;
    const reviewed = conversion.webhook?.conversionReviewVersions ?? [];
    const review = reviewed.find((one) => one === 'v1' || one === 'v1beta1');
    if (review === undefined) throw failure('no supported conversion review versions');
    const uid = this.#services.uuid();
    const body = {
      kind: 'ConversionReview',
      apiVersion: `apiextensions.k8s.io/${review}`,
      request: { uid, desiredAPIVersion: apiVersion, objects: wanted },
    };
    let answer: unknown;
    try {
      const config = conversion.webhook?.clientConfig ?? {};
      answer = await callWebhook(this.#services, { config, body, timeoutMs: CONVERSION_MS });
    } catch (error) {
      if (error instanceof WebhookFailure) throw failure(`${head} failed: ${error.message}`);
      throw error;
    }
    const converted = convertedObjects(answer, { uid, review, head });
    if (converted.length !== wanted.length) {
      throw failure(`${head} returned ${converted.length} objects, expected ${wanted.length}`);
    }
    const isList = objects.length > 1;
    const byOriginal = new Map(
      wanted.map((one, i) => [one, checked(one, converted[i], { apiVersion, head, i, isList })]),
    );
    return objects.map((one) => byOriginal.get(one) ?? one);
  }
}

function versionOf(object: KubeObject): string {
  return object.apiVersion.split('/')[1] ?? '';
}

interface Answer {
  readonly kind?: unknown;
  readonly apiVersion?: unknown;
  readonly response?: {
    readonly uid?: unknown;
    readonly convertedObjects?: unknown;
    readonly result?: { readonly status?: unknown; readonly message?: unknown };
  };
}

function convertedObjects(
  answer: unknown,
  { uid, review, head }: { uid: string; review: string; head: string },
): unknown[] {
  const fail = (why: string): never => {
    throw failure(`${head} failed: ${why}`);
  };
  const { kind = '', apiVersion = '', response } = (isObject(answer) ? answer : {}) as Answer;
  if (review === 'v1') {
    const version = String(apiVersion);
    if (kind !== 'ConversionReview' || version !== 'apiextensions.k8s.io/v1') {
      const wanted = 'apiextensions.k8s.io/v1, Kind=ConversionReview';
      return fail(`expected webhook response of ${wanted}, got ${version}, Kind=${String(kind)}`);
    }
  }
  if (response === undefined) return fail('no response provided');
  if (review === 'v1' && response.uid !== uid) {
    return fail(
      `expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`,
    );
  }
  const { status = '', message = '' } = response.result ?? {};
  if (status !== 'Success') {
    const text = String(message);
    return fail(
      text === '' ? `response.result.status was '${String(status)}', not 'Success'` : text,
    );
  }
  const found = response.convertedObjects;
  return Array.isArray(found) ? found : [];
}

interface CheckContext {
  readonly apiVersion: string;
  readonly head: string;
  readonly i: number;
  readonly isList: boolean;
}

/** The converted object with the metadata of the original; labels and annotations may have changed. */
function checked(original: KubeObject, answer: unknown, context: CheckContext): KubeObject {
  const { apiVersion, head, i, isList } = context;
  const at = isList ? `converted object at index ${i}` : 'object';
  const fail = (why: string): never => {
    throw failure(`${head} returned invalid ${at}: ${why}`);
  };
  if (!isObject(answer)) return fail('it is no object');
  const converted = answer as unknown as KubeObject;
  const place = isList ? '' : ' at index 0';
  if (converted.apiVersion !== apiVersion) {
    const why = `invalid groupVersion (expected ${apiVersion}, received ${converted.apiVersion ?? ''})`;
    throw failure(`${head} returned invalid ${at}${place}: ${why}`);
  }
  if (converted.kind !== original.kind) {
    const why = `invalid kind (expected ${original.kind}, received ${converted.kind ?? ''})`;
    throw failure(`${head} returned invalid ${at}${place}: ${why}`);
  }
  const [before, after] = [original.metadata, converted.metadata ?? {}];
  for (const [name, key] of [
    ['name', 'name'],
    ['namespace', 'namespace'],
    ['UID', 'uid'],
  ] as const) {
    const [a = '', b = ''] = [before[key], after[key]];
    if (a !== b) return fail(`must have the same ${name}: ${a} != ${b}`);
  }
  const { labels: _labels, annotations: _annotations, ...kept } = before;
  return { ...converted, metadata: { ...kept, ...changeable(after, head, at) } };
}

function changeable(metadata: KubeObject['metadata'], head: string, at: string) {
  const { labels, annotations } = metadata;
  const causes = [
    ...validateLabels(labels, 'metadata.labels'),
    ...validateAnnotations(annotations, 'metadata.annotation'),
  ];
  const [cause] = causes;
  if (cause !== undefined) {
    const why = `${cause.field ?? ''}: ${cause.message}`;
    throw failure(`${head} returned invalid metadata in ${at}: ${why}`);
  }
  return {
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}
