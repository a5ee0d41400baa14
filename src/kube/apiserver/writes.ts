// The verbs that write, and the reviews: bodies in, answers out. What writing means is in resources.ts.
import type { Env } from '#env/env.ts';
import { trackUpdate } from '#kube/meta/apply.ts';
import { applyDefaults } from '#kube/meta/defaulting.ts';
import { apiVersionOf, type KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { writeZeros } from '#kube/meta/written-zeros.ts';
import { ApiError, badRequest } from '#kube/meta/status.ts';
import { warnOf } from './decoding.ts';
import { admissionRequestOf } from './admission/write-request.ts';
import type { Authenticator } from './authentication.ts';
import type { AuthorizerChain } from './authz/authorizer.ts';
import { bind, bindingInfo, checkBinding } from './bindings.ts';
import { readBody, sendValue, UnknownFormat, type Body, type Exchange } from './bodies.ts';
import type { Definitions } from './crd/definitions.ts';
import { returnsDeleted } from './deletion.ts';
import { accessOf, forbidden } from './access.ts';
import { unknownResource } from './faults.ts';
import { listPage } from './lists.ts';
import { objectFor } from './object-store.ts';
import {
  MalformedBody,
  malformedPatch,
  unrecognized,
  unrecognizedOptions,
} from './malformed-body.ts';
import type { SigningCounts } from './metrics/admission-counts.ts';
import type { Reads } from './reads.ts';
import { isTrue, type RequestInfo } from './request-info.ts';
import {
  checkCreateOptions,
  checkPatchOptions,
  checkUpdateOptions,
  deleteOptionsOf,
} from './request-options.ts';
import type { Resources, WriteContext, Written } from './resources.ts';
import type { PatchType } from './patch-request.ts';
import { changeScale, scaleInfoOf, type ScaleChange } from './scale.ts';
import { countingIssued } from './signed-requests.ts';
import { timestamp } from './strategies.ts';
import { evict, evictionInfo, ofNewVersion } from './eviction.ts';
import { review } from './subresources.ts';
import { requestToken, SECONDS_DEFAULT, tokenRequestInfo, withZeros } from './token-requests.ts';
import { newUse } from './legacy-tokens.ts';
import { tellTokenUse } from './token-use.ts';
import { deleteUnreadable } from './unreadable-deletion.ts';
import type { TokenAuthority } from './tokens.ts';

const patchTypes: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

export interface WritesOptions {
  readonly tokens: TokenAuthority;
  readonly definitions: Definitions;
  readonly authenticator: Authenticator;
  readonly authorizer: AuthorizerChain;
  readonly signing: SigningCounts;
}

interface Asked {
  readonly value: unknown;
  readonly duplicates: readonly string[];
}

export class Writes {
  readonly #resources: Resources;
  readonly #reads: Reads;
  readonly #options: WritesOptions;
  readonly #env: Env;

  constructor(resources: Resources, reads: Reads, options: WritesOptions, env: Env) {
    this.#resources = resources;
    this.#reads = reads;
    this.#options = options;
    this.#env = env;
  }

  async #body(
    exchange: Exchange,
    { info, subresource }: WriteContext,
    what: 'object' | 'patch' | 'options' = 'object',
  ): Promise<Asked & { contentType: string }> {
    const isPatch = what === 'patch';
    try {
      const type = what === 'object' && subresource === undefined ? info : undefined;
      const body = await readBody(exchange.request, { isPatch, type, isCustom: isCustom(info) });
      return body ?? { value: undefined, contentType: '', duplicates: [] };
    } catch (error) {
      const { 'content-type': type = '' } = exchange.request.headers;
      const isNoPatch = isPatch && isCustom(info) && patchTypes[mediaType(type)] === 'strategic';
      if (error instanceof MalformedBody && !isNoPatch) {
        if (what === 'options') throw unrecognizedOptions(error);
        throw isPatch ? malformedPatch(error) : unrecognized(kindBelow(info, subresource), error);
      }
      if (!(error instanceof UnknownFormat) && !isNoPatch) throw error;
      // Before anything of the resource is looked at.
      if (isPatch) exchange.warnings = [];
      throw isPatch ? unknownPatch(info) : unknownBody(info);
    }
  }

  async review(exchange: Exchange, context: WriteContext): Promise<void> {
    const { value, duplicates } = await this.#body(exchange, context);
    const { info, user } = context;
    const services = {
      authorizer: this.#options.authorizer,
      authenticate: async (token: string, audiences?: readonly string[]) => {
        const use = newUse();
        const { authenticator } = this.#options;
        const found = authenticator.token(token, audiences, use);
        return await found.finally(() => tellTokenUse(use, exchange));
      },
    };
    const body = this.#resources.decode(context, value, duplicates);
    const next: KubeObject = {
      ...body,
      kind: info.kind,
      apiVersion: apiVersionOf(info),
      metadata: {
        ...body.metadata,
        ...(context.namespace === undefined ? {} : { namespace: context.namespace }),
      },
    };
    const now = timestamp(this.#env.clock.now());
    const manager = context.fieldManager;
    const managedFields = trackUpdate({ info, live: undefined, next, manager, now });
    if (managedFields !== undefined) next.metadata = { ...next.metadata, managedFields };
    const isAccess = info.group === 'authorization.k8s.io';
    const { managedFields: _fields, ...metadata } = next.metadata;
    exchange.audit?.request({ ...next, metadata, status: isAccess ? { allowed: false } : {} });
    const answer = await review(services, info.resource, user, next, now);
    writeZeros(info, answer);
    sendValue(exchange, answer, { status: 201 });
  }

  async create(exchange: Exchange, info: RequestInfo, context: WriteContext): Promise<void> {
    const body = await this.#body(exchange, context);
    checkCreateOptions(info.query);
    const { name = '', subresource } = info;
    if (info.resource === 'bindings' && subresource === undefined) {
      const answer = await this.#bind(context, undefined, body);
      return sendValue(exchange, answer, { status: 201 });
    }
    if (subresource !== undefined) {
      const kind = context.info.subresources.find((one) => one.name === subresource);
      exchange.audit?.request(asked((body.value ?? {}) as KubeObject, kind, subresource));
      const answer = await this.#below(subresource, context, name, body);
      return sendValue(exchange, answer, { status: 201 });
    }
    const { value, duplicates } = body;
    const decoded = this.#resources.decode(context, value, duplicates);
    audited(exchange, context, decoded);
    const object = await this.#resources.create(context, decoded);
    await this.#options.definitions.onWritten(context.info);
    this.#reads.sendObject(exchange, info, context.info, object, {
      status: 201,
    });
  }

  async #below(
    subresource: string,
    context: WriteContext,
    name: string,
    body: Asked,
  ): Promise<object> {
    const resources = this.#resources;
    switch (subresource) {
      case 'binding':
        return await this.#bind(context, name, body);
      case 'eviction': {
        const eviction = resources.decodeBelow(context, evictionInfo, ofNewVersion(body));
        const admitted = await this.#admitted(context, name, eviction);
        const now = (): number => this.#env.clock.now();
        return await evict({ resources, now }, context, name, admitted);
      }
      case 'token': {
        const { tokens } = this.#options;
        const request = resources.decodeBelow(context, tokenRequestInfo, body);
        const named = (one: KubeObject): void => void (one.metadata.name ??= name);
        const admitted = await this.#admitted(context, name, withZeros(request), named);
        return await requestToken({ resources, tokens, env: this.#env }, context, name, admitted);
      }
      default:
        throw unknownResource();
    }
  }

  /** Of a pod that is named by the path, or by the binding. */
  async #bind(context: WriteContext, named: string | undefined, body: Asked): Promise<object> {
    const binding = this.#resources.decodeBelow(context, bindingInfo, body);
    const name = named ?? binding.metadata.name ?? '';
    const check = (one: KubeObject): void => checkBinding(one, name);
    const admitted = await this.#admitted(context, name, binding, check);
    const info = this.#resources.registry.byResource('', 'v1', 'pods') ?? context.info;
    return await bind(this.#resources, { ...context, info }, admitted, this.#env);
  }

  async #admitted(
    context: WriteContext,
    name: string,
    object: KubeObject,
    check?: (object: KubeObject) => void,
  ): Promise<KubeObject> {
    const request = admissionRequestOf(context, 'CREATE', object, undefined, name);
    return await this.#resources.admitted(context, request, check);
  }

  async change(exchange: Exchange, info: RequestInfo, changing: WriteContext): Promise<void> {
    const { name = '', query } = info;
    const context = { ...changing, checkCreation: () => this.#checkCreation(info, changing) };
    const body = await this.#body(exchange, context, info.verb === 'patch' ? 'patch' : 'object');
    const type = patchTypes[body.contentType];
    if (info.verb === 'patch') {
      if (type === undefined || (type === 'strategic' && isCustom(context.info))) {
        // Before anything of the resource is looked at.
        exchange.warnings = [];
        throw unknownPatch(context.info);
      }
      checkPatchOptions(query, type === 'apply');
      if (type === 'apply') checkAppliedText(context, body.duplicates);
    } else checkUpdateOptions(query);
    if (type !== undefined && typeof body.value === 'object' && body.value !== null) {
      exchange.audit?.request(body.value as Record<string, unknown>, true);
    }
    const { value: patch, duplicates } = body;
    const request = { type, patch, duplicates, force: isForced(query) };
    if (info.subresource === 'scale') {
      const change: ScaleChange =
        type === undefined
          ? { kind: 'update', body: body.value, onSent: (sent) => auditedScale(exchange, sent) }
          : { kind: 'patch', request: { ...request, type } };
      return await this.#scale(exchange, info, context, change);
    }
    const { signing } = this.#options;
    const written = await countingIssued(signing, this.#resources, { context, name }, () =>
      type === undefined
        ? this.#update(exchange, context, name, body)
        : this.#resources.patch(context, name, { ...request, type }),
    );
    await this.#options.definitions.onWritten(context.info);
    const status = written.isCreated ? 201 : 200;
    this.#reads.sendObject(exchange, info, context.info, written.object, {
      status,
    });
  }

  async #checkCreation(info: RequestInfo, { user }: WriteContext): Promise<void> {
    const access = { ...accessOf(info, user), verb: 'create' };
    const { kind, reason } = await this.#options.authorizer.authorize(access);
    if (kind !== 'allow') throw forbidden(access, reason);
  }

  async #update(
    exchange: Exchange,
    context: WriteContext,
    name: string,
    body: Pick<Body, 'value' | 'duplicates'>,
  ): Promise<Written> {
    const decoded = this.#resources.decode(context, body.value, body.duplicates);
    audited(exchange, context, decoded);
    return await this.#resources.update(context, name, decoded);
  }

  async #scale(
    exchange: Exchange,
    info: RequestInfo,
    context: WriteContext,
    change: ScaleChange,
  ): Promise<void> {
    const now = (): string => timestamp(this.#env.clock.now());
    const scale = await changeScale(this.#resources, context, info.name ?? '', change, now);
    this.#reads.sendObject(exchange, info, scaleInfoOf(context.info), scale);
  }

  async delete(exchange: Exchange, info: RequestInfo, context: WriteContext): Promise<void> {
    const { value } = await this.#body(exchange, context, 'options');
    const options = deleteOptionsOf(info.query, value, info.verb === 'deletecollection');
    if (value !== undefined) {
      // Upstream writes these down as it has them in memory.
      const apiVersion = 'meta.k8s.io/__internal';
      const given = { ...(value as object), kind: 'DeleteOptions', apiVersion };
      exchange.audit?.request(given);
    }
    const own = { ...context, isDryRun: options.isDryRun, options: options.given };
    const isDecided =
      options.propagationPolicy !== undefined || options.orphanDependents !== undefined;
    const isJob = context.info.group === 'batch' && context.info.resource === 'jobs';
    const warn = (): void => {
      if (isJob && !isDecided) context.warnings.push(orphansWarning);
    };
    if (info.verb === 'deletecollection') {
      const { namespace, query } = info;
      const listed = await listPage(this.#resources.store, {
        info: context.info,
        namespace,
        query,
      });
      warn();
      for (const kv of listed.items) {
        const object = objectFor(context.info, kv);
        const place = { ...own, namespace: object.metadata.namespace, isCollection: true };
        await this.#resources
          .delete(place, object.metadata.name ?? '', options)
          .catch(ignoreNotFound);
      }
      await this.#options.definitions.onWritten(context.info);
      return await this.#reads.sendList(exchange, info, context.info, listed);
    }
    warn();
    if (options.ignoreStoreReadErrorWithClusterBreakingPotential === true) {
      const { authorizer } = this.#options;
      const services = { store: this.#resources.store, authorizer };
      sendValue(exchange, await deleteUnreadable(services, own, accessOf(info, context.user)));
      return;
    }
    const { object, gone } = await this.#resources.delete(own, info.name ?? '', options);
    await this.#options.definitions.onWritten(context.info);
    if (!gone) {
      // Later ways to ask for the same are answered as if it were done.
      const status = options.orphanDependents === false ? 202 : 200;
      return this.#reads.sendObject(exchange, info, context.info, object, { status });
    }
    const { name, uid } = object.metadata;
    const group = context.info.group === '' ? {} : { group: context.info.group };
    const details = { name, ...group, kind: context.info.resource, uid };
    if (returnsDeleted(context.info))
      return this.#reads.sendObject(exchange, info, context.info, object);
    sendValue(exchange, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details,
    });
  }
}

/** A body below an object as Go would write it: what is never absent is there. */
function asked(
  body: KubeObject,
  kind: { readonly group: string; readonly version: string; readonly kind: string } | undefined,
  subresource: string,
): Record<string, unknown> {
  const own = kind === undefined ? {} : { kind: kind.kind, apiVersion: apiVersionOf(kind) };
  const whole = { ...body, ...own, metadata: body.metadata ?? {} };
  if (subresource !== 'token') return whole;
  const preset = { boundObjectRef: null, expirationSeconds: SECONDS_DEFAULT };
  return { ...whole, spec: { ...preset, ...body['spec'] }, status: { token: '' } };
}

/** Written down as it was decoded, defaults included. */
function audited({ audit }: Exchange, { info }: WriteContext, object: KubeObject): void {
  if (audit === undefined) return;
  if (!audit.wantsRequest) return audit.request(object);
  const form = structuredClone({ ...object, kind: info.kind, apiVersion: apiVersionOf(info) });
  applyDefaults(info, form);
  audit.request(form);
}

/** As Go would write it. */
function auditedScale({ audit }: Exchange, scale: KubeObject): void {
  const status = { replicas: 0, ...scale['status'] };
  audit?.request({ ...scale, spec: scale['spec'] ?? {}, status });
}

/** What is applied has each key once, for clients that want to know. Throws ApiError 400. */
function checkAppliedText(context: WriteContext, problems: readonly string[]): void {
  const [problem] = problems;
  if (problem === undefined || context.fieldValidation === 'Ignore') return;
  const why = `error converting YAML to JSON: ${problem}`;
  if (context.fieldValidation === 'Strict') throw badRequest(`error strict decoding patch: ${why}`);
  warnOf(context, [why]);
}

const orphansWarning =
  'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning';

/** Of what is sent below an object. */
const kindBelow = ({ kind, subresources }: ResourceInfo, subresource: string | undefined): string =>
  subresources.find(({ name }) => name === subresource)?.kind ?? kind;

const mediaType = (type: string): string => (type.split(';')[0] ?? '').trim();

function isCustom(info: ResourceInfo): boolean {
  return info.customResourceDefinition !== undefined;
}

function unknownBody(info: ResourceInfo): ApiError {
  const types = ['application/json', 'application/yaml'];
  if (!isCustom(info)) types.push('application/vnd.kubernetes.protobuf');
  const head = 'the body of the request was in an unknown format';
  const message = `${head} - accepted media types include: ${types.join(', ')}`;
  return new ApiError(415, 'UnsupportedMediaType', message);
}

function unknownPatch(info: ResourceInfo): ApiError {
  const reason = 'UnsupportedMediaType';
  if (!isCustom(info)) return new ApiError(415, reason, '415: Unsupported Media Type', {});
  const types = Object.keys(patchTypes).filter((one) => !one.includes('strategic'));
  const head = 'the body of the request was in an unknown format';
  return new ApiError(415, reason, `${head} - accepted media types include: ${types.join(', ')}`);
}

function isForced(query: URLSearchParams): boolean {
  return isTrue(query.get('force'));
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof ApiError) || error.reason !== 'NotFound') throw error;
}
