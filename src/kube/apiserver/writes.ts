// The verbs that write, and the reviews: bodies in, answers out. What writing means is in resources.ts.
import type { Env } from '#env/env.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { ApiError, invalid } from '#kube/meta/status.ts';
import type { Authenticator } from './authentication.ts';
import { readBody, sendValue, type Exchange } from './bodies.ts';
import type { Definitions } from './crd/definitions.ts';
import { unknownResource } from './faults.ts';
import { listPage } from './lists.ts';
import { objectOf } from './object-store.ts';
import type { Reads } from './reads.ts';
import type { RequestInfo } from './request-info.ts';
import type { DeleteOptions, PatchType, Resources, WriteContext } from './resources.ts';
import type { RoleCache } from './role-cache.ts';
import { bind, evict, requestToken, review, updateScale } from './subresources.ts';
import type { TokenAuthority } from './tokens.ts';
import type { UserInfo } from './user.ts';

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
  ): Promise<{ value: unknown; contentType: string; duplicates: readonly string[] }> {
    const body = await readBody(exchange.request);
    return body ?? { value: undefined, contentType: '', duplicates: [] };
  }

  async review(
    exchange: Exchange,
    info: RequestInfo,
    user: UserInfo,
    roles: RoleCache,
  ): Promise<void> {
    const { value } = await this.#body(exchange);
    if (info.verb !== 'create') throw unknownResource();
    const services = {
      roles,
      authenticate: (token: string) => this.#options.authenticator.token(token),
    };
    sendValue(exchange, await review(services, info.resource, user, value as KubeObject), {
      status: 201,
    });
  }

  async create(exchange: Exchange, info: RequestInfo, context: WriteContext): Promise<void> {
    const { value, duplicates } = await this.#body(exchange);
    const { name = '', subresource } = info;
    const body = (value ?? {}) as KubeObject;
    if (info.resource === 'bindings' && subresource === undefined) {
      const pods = this.#resources.registry.byResource('', 'v1', 'pods');
      const asPod = { ...context, info: pods ?? context.info };
      return sendValue(
        exchange,
        await bind(this.#resources, asPod, body.metadata?.name ?? '', body, this.#env),
        { status: 201 },
      );
    }
    if (subresource === 'binding')
      return sendValue(exchange, await bind(this.#resources, context, name, body, this.#env), {
        status: 201,
      });
    if (subresource === 'eviction')
      return sendValue(exchange, await evict(this.#resources, context, name, body), {
        status: 201,
      });
    if (subresource === 'token') {
      const services = { resources: this.#resources, tokens: this.#options.tokens, env: this.#env };
      return sendValue(exchange, await requestToken(services, context, name, body), {
        status: 201,
      });
    }
    if (subresource !== undefined) throw unknownResource();
    const object = await this.#resources.create(
      context,
      this.#resources.decode(context, value, duplicates),
    );
    await this.#options.definitions.onWritten(context.info);
    this.#reads.sendObject(exchange, info, context.info, object, {
      status: 201,
      warnings: context.warnings,
    });
  }

  async change(exchange: Exchange, info: RequestInfo, context: WriteContext): Promise<void> {
    const { name = '', query } = info;
    const body = await this.#body(exchange);
    const type = patchTypes[body.contentType];
    if (info.verb === 'patch' && type === undefined) {
      const message = `the body of the request was in an unknown format - accepted media types include: ${Object.keys(patchTypes).join(', ')}`;
      throw new ApiError(415, 'UnsupportedMediaType', message);
    }
    if (info.subresource === 'scale') return await this.#scale(exchange, info, context, body.value);
    if (type === 'apply' && query.get('fieldManager') === null) {
      throw invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [
        {
          reason: 'FieldValueRequired',
          message: 'Required value: is required for apply patch',
          field: 'fieldManager',
        },
      ]);
    }
    const written =
      type === undefined
        ? await this.#resources.update(
            context,
            name,
            this.#resources.decode(context, body.value, body.duplicates),
          )
        : await this.#resources.patch(context, name, {
            type,
            patch: body.value,
            force: query.get('force') === 'true',
          });
    await this.#options.definitions.onWritten(context.info);
    const status = written.isCreated ? 201 : 200;
    this.#reads.sendObject(exchange, info, context.info, written.object, {
      status,
      warnings: context.warnings,
    });
  }

  async #scale(
    exchange: Exchange,
    info: RequestInfo,
    context: WriteContext,
    body: unknown,
  ): Promise<void> {
    const given = body as KubeObject;
    const isPatch = info.verb === 'patch';
    const scale = await updateScale(this.#resources, context, info.name ?? '', (before) => {
      if (!isPatch) return given;
      const { resourceVersion: _version, ...metadata } = before.metadata;
      return { ...before, metadata, spec: { ...before['spec'], ...given['spec'] } };
    });
    sendValue(exchange, scale);
  }

  async delete(exchange: Exchange, info: RequestInfo, context: WriteContext): Promise<void> {
    const { value } = await this.#body(exchange);
    const options = {
      ...deleteOptionsOf(info.query),
      ...((value ?? {}) as DeleteOptions & { dryRun?: string[] }),
    };
    const isDryRun =
      context.isDryRun || (options as { dryRun?: string[] }).dryRun?.includes('All') === true;
    const own = { ...context, isDryRun };
    if (info.verb === 'deletecollection') {
      const { namespace, query } = info;
      const listed = await listPage(this.#resources.store, {
        info: context.info,
        namespace,
        query,
      });
      for (const kv of listed.items) {
        const object = objectOf(kv);
        const place = { ...own, namespace: object.metadata.namespace };
        await this.#resources
          .delete(place, object.metadata.name ?? '', options)
          .catch(ignoreNotFound);
      }
      await this.#options.definitions.onWritten(context.info);
      return this.#reads.sendList(exchange, info, context.info, listed);
    }
    const { object, gone } = await this.#resources.delete(own, info.name ?? '', options);
    await this.#options.definitions.onWritten(context.info);
    if (!gone) return this.#reads.sendObject(exchange, info, context.info, object);
    const { name, uid } = object.metadata;
    const group = context.info.group === '' ? {} : { group: context.info.group };
    const details = { name, ...group, kind: context.info.resource, uid };
    const isWhole = context.info.group === '' && context.info.resource === 'pods';
    if (isWhole) return this.#reads.sendObject(exchange, info, context.info, object);
    sendValue(exchange, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details,
    });
  }
}

function deleteOptionsOf(query: URLSearchParams): DeleteOptions {
  const grace = query.get('gracePeriodSeconds');
  const policy = query.get('propagationPolicy');
  return {
    ...(grace === null ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(policy === null ? {} : { propagationPolicy: policy }),
  };
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof ApiError) || error.reason !== 'NotFound') throw error;
}
