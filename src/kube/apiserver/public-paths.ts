// Paths that are about the server, not about resources: health, version, discovery, OpenAPI, keys.
import { ApiError, methodNotAllowed } from '#kube/meta/status.ts';
import {
  aggregatedDocument,
  apiGroupDocument,
  apiGroupListDocument,
  apiResourceListDocument,
  apiVersionsDocument,
  groupsOf,
} from '#kube/openapi/discovery.ts';
import type { TypeRegistry } from '#kube/types/registry.ts';
import type { Aggregation } from './aggregation/aggregation.ts';
import { passRequest, plainError } from './aggregation/proxy.ts';
import {
  acceptedForm,
  packedIfLong,
  sendBytes,
  sendJson,
  sendMade,
  sendText,
  type Exchange,
} from './bodies.ts';
import { unknownResource } from './faults.ts';
import type { FlowControl } from './flow-control/flow-control.ts';
import type { Health } from './health.ts';
import type { InternalMetrics } from './metrics/internals.ts';
import type { ObjectCounts } from './metrics/object-counts.ts';
import { metricPage } from './metrics/page.ts';
import { OpenApiDocuments, type Document } from './openapi-documents.ts';
import type { RequestInfo } from './request-info.ts';
import type { RequestMetrics } from './metrics/request-metrics.ts';
import type { ServerMetrics } from './metrics/server-metrics.ts';
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

const FLOW_DUMPS = '/debug/api_priority_and_fairness/';

export interface PublicPathsOptions {
  readonly registry: TypeRegistry;
  readonly tokens: TokenAuthority;
  readonly health: Health;
  readonly metrics: RequestMetrics;
  readonly server: ServerMetrics;
  readonly internals: InternalMetrics;
  readonly objects: ObjectCounts;
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
  readonly #internals: InternalMetrics;
  readonly #objects: ObjectCounts;
  readonly #aggregation: Aggregation;
  readonly #flows: FlowControl;
  #address = '';
  readonly #openApiDocuments: OpenApiDocuments;
  /** Of aggregated discovery, until a resource comes or goes. */
  readonly #aggregated = new Map<'core' | 'groups', Document>();

  constructor(options: PublicPathsOptions) {
    this.#registry = options.registry;
    this.#health = options.health;
    this.#requests = options.metrics;
    this.#server = options.server;
    this.#internals = options.internals;
    this.#objects = options.objects;
    this.#tokens = options.tokens;
    this.#aggregation = options.aggregation;
    this.#flows = options.flows;
    this.#openApiDocuments = new OpenApiDocuments(this.#registry, this.#aggregation);
    this.#registry.onChange(() => this.#aggregated.clear());
    this.#aggregation.onChange(() => this.#aggregated.clear());
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
        return this.#sendMetrics(exchange, await this.#metrics());
      case '/metrics/slis':
        return this.#sendMetrics(exchange, [...this.#health.lines(), ...this.#server.startLines()]);
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
      '/metrics/slis',
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

  async #metrics(): Promise<string[]> {
    return [
      ...this.#requests.lines(),
      ...this.#server.lines(),
      ...this.#internals.lines(),
      ...(await this.#objects.lines()),
      ...this.#health.lines(),
      ...this.#aggregation.metrics(),
      ...this.#flows.metrics(),
    ];
  }

  #sendMetrics(exchange: Exchange, lines: readonly string[]): void {
    const { contentType, bytes } = metricPage(lines, exchange.request.headers.accept);
    sendBytes(exchange, bytes, { contentType });
  }

  #discovery(exchange: Exchange, path: string): void {
    const form = acceptedForm(exchange.request);
    const [, root, group = '', groupVersion] = path.split('/');
    const isAggregated = form.kind === 'aggregated-discovery';
    if (isAggregated && (path === '/api' || path === '/apis')) {
      const document = this.#aggregatedDocument(path === '/api' ? 'core' : 'groups');
      return sendMade(exchange, document, { contentType: form.contentType });
    }
    if (path === '/api') return sendJson(exchange, apiVersionsDocument(this.#address));
    if (path === '/apis') {
      return sendJson(exchange, apiGroupListDocument(this.#registry, this.#aggregation));
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

  /** Kept while only this server serves: how fresh the others' part is may change at any time. */
  #aggregatedDocument(which: 'core' | 'groups'): Document {
    const known = this.#aggregated.get(which);
    if (known !== undefined && this.#aggregation.remotes.length === 0) return known;
    const value = aggregatedDocument(this.#registry, which, this.#aggregation);
    const bytes = Buffer.from(JSON.stringify(value));
    const document = { bytes, packed: packedIfLong(bytes) };
    if (this.#aggregation.remotes.length === 0) this.#aggregated.set(which, document);
    return document;
  }

  async #openApi(exchange: Exchange, path: string, user: UserInfo): Promise<void> {
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
      return sendMade(exchange, this.#openApiDocuments.v2());
    }
    if (path === '/openapi/v3') return sendJson(exchange, this.#openApiDocuments.v3Index());
    const wanted = path.slice('/openapi/v3/'.length);
    const remote = this.#aggregation.remoteOf(`/${wanted}`);
    if (remote?.documents.openApiV3Url !== undefined) {
      return await passRequest(exchange, { ...remote, user });
    }
    const document = this.#openApiDocuments.v3(wanted);
    if (document === undefined) {
      const { response, headers } = exchange;
      response.writeHead(404, { ...headers, 'Cache-Control': 'no-cache, private' });
      return void response.end();
    }
    sendBytes(exchange, document.bytes, { packed: document.packed });
  }
}
