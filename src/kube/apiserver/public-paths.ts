// Paths that are about the server, not about resources: health, version, discovery, OpenAPI, keys.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiError, methodNotAllowed } from '#kube/meta/status.ts';
import {
  aggregatedDocument,
  apiGroupDocument,
  apiGroupListDocument,
  apiResourceListDocument,
  apiVersionsDocument,
  groupsOf,
} from '#kube/openapi/discovery.ts';
import {
  openApiPath,
  openApiV2,
  openApiV3,
  openApiV3Index,
  type Descriptions,
} from '#kube/openapi/documents.ts';
import { mergeOpenApiV2 } from '#kube/openapi/remote-versions.ts';
import type { TypeRegistry } from '#kube/types/registry.ts';
import type { Aggregation } from './aggregation/aggregation.ts';
import { passRequest, plainError } from './aggregation/proxy.ts';
import { acceptedForm, sendJson, sendText, type Exchange } from './bodies.ts';
import { unknownResource } from './faults.ts';
import type { FlowControl } from './flow-control/flow-control.ts';
import type { Health } from './health.ts';
import type { RequestInfo } from './request-info.ts';
import type { RequestMetrics } from './request-metrics.ts';
import type { ServerMetrics } from './server-metrics.ts';
import type { TokenAuthority } from './tokens.ts';
import type { UserInfo } from './user.ts';

export const version = {
  major: '1',
  minor: '37',
  gitVersion: 'v1.37.2+strata',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '2026-01-01T00:00:00Z',
  goVersion: `node${process.versions.node}`,
  compiler: 'v8',
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
};

/** What `kubectl explain` shows, made by a build step out of an installed package; may be absent. */
function loadDescriptions(): Descriptions {
  for (const place of [
    '../explain-descriptions.json',
    '../../../build/explain-descriptions.json',
  ]) {
    const path = join(import.meta.dirname, place);
    if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Descriptions;
  }
  return {};
}

const FLOW_DUMPS = '/debug/api_priority_and_fairness/';

export interface PublicPathsOptions {
  readonly registry: TypeRegistry;
  readonly tokens: TokenAuthority;
  readonly health: Health;
  readonly metrics: RequestMetrics;
  readonly server: ServerMetrics;
  readonly aggregation: Aggregation;
  readonly flows: FlowControl;
}

/** Go's answer to a path that no handler is at. */
export function pathOfNothing({ response, headers }: Exchange): void {
  const own = { ...headers, 'Cache-Control': 'no-cache, private' };
  plainError(response, 404, '404 page not found', own);
}

export class PublicPaths {
  readonly #registry: TypeRegistry;
  readonly #tokens: TokenAuthority;
  readonly #health: Health;
  readonly #requests: RequestMetrics;
  readonly #server: ServerMetrics;
  readonly #aggregation: Aggregation;
  readonly #flows: FlowControl;
  #address = '';
  #documents: Map<string, string> | undefined;
  #descriptions: Descriptions | undefined;

  constructor(options: PublicPathsOptions) {
    this.#registry = options.registry;
    this.#health = options.health;
    this.#requests = options.metrics;
    this.#server = options.server;
    this.#tokens = options.tokens;
    this.#aggregation = options.aggregation;
    this.#flows = options.flows;
    this.#registry.onChange(() => {
      this.#documents = undefined;
    });
    this.#aggregation.onChange(() => {
      this.#documents = undefined;
    });
  }

  setAddress(address: string): void {
    this.#address = address;
  }

  async handle(exchange: Exchange, info: RequestInfo, user: UserInfo): Promise<void> {
    const path = info.path.replace(/\/+$/, '') || '/';
    const isRead = ['GET', 'HEAD'].includes(exchange.request.method ?? '');
    const isRouted = /^\/(?:api(?:\/\w+)?|apis\/[^/]+\/\w+|version)$/.test(path);
    if (!isRead && isRouted) throw methodNotAllowed();
    if (path.startsWith('/openapi/')) return await this.#openApi(exchange, path, user);
    if (
      path === '/api' ||
      path.startsWith('/api/') ||
      path === '/apis' ||
      path.startsWith('/apis/')
    ) {
      return this.#discovery(exchange, path);
    }
    if (path.startsWith(FLOW_DUMPS)) return this.#dumpFlows(exchange, path, info.query);
    if (/^\/(healthz|livez|readyz)(\/|$)/.test(path))
      return await this.#answerHealth(exchange, info);
    switch (path) {
      case '/version':
        return sendJson(exchange, version);
      case '/metrics':
        return sendText(exchange, this.#metrics(), { contentType: 'text/plain; version=0.0.4' });
      case '/openid/v1/jwks':
        return sendJson(exchange, await this.#tokens.jwks());
      case '/.well-known/openid-configuration':
        return sendJson(exchange, {
          issuer: this.#tokens.issuer,
          jwks_uri: `https://${this.#address}/openid/v1/jwks`,
          response_types_supported: ['id_token'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['ES256'],
        });
      case '/':
        return sendJson(exchange, {
          paths: this.#paths(),
        });
      default:
        if (path.startsWith('/version/')) throw unknownResource();
        return pathOfNothing(exchange);
    }
  }

  /** What is served, as upstream lists it for those who look around. */
  #paths(): string[] {
    const groups = groupsOf(this.#registry).filter(({ group }) => group !== '');
    const apis = groups.flatMap(({ group, versions }) => [
      `/apis/${group}`,
      ...versions.map((one) => `/apis/${group}/${one}`),
    ]);
    const health = ['healthz', 'livez', 'readyz'].flatMap((endpoint) => [
      `/${endpoint}`,
      ...this.#health.namesOf(endpoint).map((name) => `/${endpoint}/${name}`),
    ]);
    return [
      '/.well-known/openid-configuration',
      '/api',
      '/api/v1',
      '/apis',
      ...apis,
      ...health,
      '/metrics',
      '/openapi/v2',
      '/openapi/v3',
      '/openid/v1/jwks',
      '/version',
    ].toSorted();
  }

  #dumpFlows(exchange: Exchange, path: string, query: URLSearchParams): void {
    const text = this.#flows.dump(path.slice(FLOW_DUMPS.length), query);
    if (text === undefined) return pathOfNothing(exchange);
    sendText(exchange, text, { contentType: 'text/plain; charset=utf-8' });
  }

  async #answerHealth(exchange: Exchange, { path, query }: RequestInfo): Promise<void> {
    const answer = await this.#health.answer(path.replace(/\/+$/, ''), query);
    if (answer === undefined) return pathOfNothing(exchange);
    const contentType = 'text/plain; charset=utf-8';
    // One check by itself is answered in a simpler way.
    const isWhole = path.replace(/\/+$/, '').split('/').length === 2;
    const headers = isWhole ? { 'X-Content-Type-Options': 'nosniff' } : {};
    sendText(exchange, answer.text, { status: answer.status, contentType, headers });
  }

  #metrics(): string {
    return [
      ...this.#requests.lines(),
      ...this.#server.lines(),
      ...this.#aggregation.metrics(),
      ...this.#flows.metrics(),
      '',
    ].join('\n');
  }

  #discovery(exchange: Exchange, path: string): void {
    const form = acceptedForm(exchange.request);
    const [, root, group = '', groupVersion] = path.split('/');
    const isAggregated = form.kind === 'aggregated-discovery';
    const options = isAggregated ? { contentType: form.contentType } : {};
    if (path === '/api') {
      const document = isAggregated
        ? aggregatedDocument(this.#registry, 'core', this.#aggregation)
        : apiVersionsDocument(this.#address);
      return sendJson(exchange, document, options);
    }
    if (path === '/apis') {
      const document = isAggregated
        ? aggregatedDocument(this.#registry, 'groups', this.#aggregation)
        : apiGroupListDocument(this.#registry, this.#aggregation);
      return sendJson(exchange, document, options);
    }
    const found =
      root === 'api'
        ? apiResourceListDocument(this.#registry, '', group)
        : groupVersion === undefined
          ? apiGroupDocument(this.#registry, group, this.#aggregation)
          : apiResourceListDocument(this.#registry, group, groupVersion);
    if (found === undefined) {
      const isOwn = root === 'api' || this.#registry.all().some((one) => one.group === group);
      if (!isOwn) return pathOfNothing(exchange);
      throw unknownResource();
    }
    sendJson(exchange, found);
  }

  async #openApi(exchange: Exchange, path: string, user: UserInfo): Promise<void> {
    this.#descriptions ??= loadDescriptions();
    if (path === '/openapi/v2') {
      if (
        /com\.github\.proto-openapi/.test(String(exchange.request.headers.accept)) &&
        !/json|\*\/\*/.test(String(exchange.request.headers.accept))
      ) {
        throw new ApiError(
          406,
          'NotAcceptable',
          'only the following media types are accepted: application/json',
        );
      }
      return sendJson(exchange, this.#v2());
    }
    const documents = this.#v3();
    if (path === '/openapi/v3') return sendJson(exchange, this.#v3Index(documents));
    const wanted = path.slice('/openapi/v3/'.length);
    const remote = this.#aggregation.remoteOf(`/${wanted}`);
    if (remote?.documents.openApiV3Url !== undefined) {
      return await passRequest(exchange, { ...remote, user });
    }
    const text = documents.get(wanted);
    if (text === undefined) {
      const { response, headers } = exchange;
      response.writeHead(404, { ...headers, 'Cache-Control': 'no-cache, private' });
      return void response.end();
    }
    sendText(exchange, text);
  }

  #v2(): Record<string, unknown> {
    const document = openApiV2(this.#registry, this.#descriptions ?? {});
    for (const { openApiV2: remote, version } of this.#aggregation.documents()) {
      if (remote !== undefined) mergeOpenApiV2(document, remote, version);
    }
    return document;
  }

  #v3Index(documents: Map<string, string>): Record<string, unknown> {
    const { paths } = openApiV3Index(documents) as { paths: Record<string, unknown> };
    for (const { openApiV3Url: serverRelativeURL, version } of this.#aggregation.documents()) {
      if (serverRelativeURL !== undefined) paths[openApiPath(version)] = { serverRelativeURL };
    }
    return { paths };
  }

  /** All documents, made anew only when a resource came or went. */
  #v3(): Map<string, string> {
    if (this.#documents !== undefined) return this.#documents;
    const documents = new Map<string, string>();
    for (const { group, versions } of groupsOf(this.#registry)) {
      for (const one of versions) {
        const document = openApiV3(
          this.#registry,
          { group, version: one },
          this.#descriptions ?? {},
        );
        if (document !== undefined)
          documents.set(openApiPath({ group, version: one }), JSON.stringify(document));
      }
    }
    this.#documents = documents;
    return documents;
  }
}
