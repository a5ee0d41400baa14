// Paths that are about the server, not about resources: health, version, discovery, OpenAPI, keys.
import type { Env } from '#env/env.ts';
import { methodNotAllowed } from '#kube/meta/status.ts';
import { groupsOf } from '#kube/openapi/discovery.ts';
import type { TypeRegistry } from '#kube/types/registry.ts';
import type { Aggregation } from './aggregation/aggregation.ts';
import { passRequest, plainError } from './aggregation/proxy.ts';
import { sendBytes, sendJson, sendText, type Exchange } from './bodies.ts';
import { sendComponentPage, type ComponentFacts } from './component-pages.ts';
import { DiscoveryAnswers } from './discovery-answers.ts';
import { unknownResource } from './faults.ts';
import type { FlowControl } from './flow-control/flow-control.ts';
import type { Health } from './health.ts';
import type { InternalMetrics } from './metrics/internals.ts';
import type { Metric } from './metrics/metric-set.ts';
import type { AllocationMetrics } from './metrics/allocations.ts';
import type { LabelLimits } from './metrics/label-limits.ts';
import type { ObjectCounts } from './metrics/object-counts.ts';
import { metricPage } from './metrics/page.ts';
import { isRoutable, notRouted } from './negotiation.ts';
import { sendOpenApi } from './openapi-answers.ts';
import { OpenApiDocuments } from './openapi-documents.ts';
import type { RequestInfo } from './request-info.ts';
import type { RequestMetrics } from './metrics/request-metrics.ts';
import type { ServerMetrics } from './metrics/server-metrics.ts';
import { undiscoverable } from './token-settings.ts';
import type { TokenAuthority } from './tokens.ts';
import type { UserInfo } from './user.ts';

/** What is built; metrics show it, too. */
export const build = {
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

const { major, minor, ...others } = build;
const version = {
  major,
  minor,
  emulationMajor: major,
  emulationMinor: minor,
  minCompatibilityMajor: '1',
  minCompatibilityMinor: '36',
  ...others,
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
  readonly allocations: AllocationMetrics;
  readonly aggregation: Aggregation;
  readonly flows: FlowControl;
  readonly startedMs: number;
  readonly labels?: LabelLimits | undefined;
  /** Of who gets in and may what. */
  readonly access: readonly Metric[];
  /** What /flagz shows: names without dashes, and values. */
  readonly flags: Readonly<Record<string, string>>;
}

/** Go's answer to a path that no handler is at. */
export function pathOfNothing({ response, headers }: Exchange): void {
  const own = { ...headers, 'Cache-Control': 'no-cache, private' };
  plainError(response, 404, '404 page not found', own);
}

export class PublicPaths {
  readonly #registry: TypeRegistry;
  readonly #tokens: TokenAuthority;
  /** Not where relying parties could not make anything of them. */
  readonly #hasKeyPaths: boolean;
  readonly #health: Health;
  readonly #requests: RequestMetrics;
  readonly #server: ServerMetrics;
  readonly #internals: InternalMetrics;
  readonly #objects: ObjectCounts;
  readonly #allocations: AllocationMetrics;
  readonly #aggregation: Aggregation;
  readonly #flows: FlowControl;
  readonly #labels: LabelLimits | undefined;
  readonly #access: readonly Metric[];
  readonly #env: Pick<Env, 'clock' | 'random'>;
  readonly #facts: ComponentFacts;
  #address = '';
  readonly #openApiDocuments: OpenApiDocuments;
  readonly #discovery: DiscoveryAnswers;

  constructor(options: PublicPathsOptions, env: Pick<Env, 'clock' | 'random'>) {
    this.#env = env;
    this.#facts = {
      startedMs: options.startedMs,
      goVersion: build.goVersion,
      binaryVersion: '1.37.2',
      emulationVersion: `${major}.${minor}`,
      flags: options.flags,
    };
    this.#registry = options.registry;
    this.#health = options.health;
    this.#requests = options.metrics;
    this.#server = options.server;
    this.#internals = options.internals;
    this.#objects = options.objects;
    this.#allocations = options.allocations;
    this.#tokens = options.tokens;
    this.#hasKeyPaths = undiscoverable(options.tokens.issuer) === undefined;
    this.#aggregation = options.aggregation;
    this.#flows = options.flows;
    this.#labels = options.labels;
    this.#access = options.access;
    const now = (): number => env.clock.now();
    this.#openApiDocuments = new OpenApiDocuments(this.#registry, this.#aggregation, { now });
    this.#discovery = new DiscoveryAnswers(this.#registry, this.#aggregation);
  }

  setAddress(address: string): void {
    this.#address = address;
  }

  async handle(exchange: Exchange, info: RequestInfo, user: UserInfo): Promise<void> {
    const path = info.path.replace(/\/+$/, '') || '/';
    // Of routes of go-restful, which take no HEAD.
    const isRouted = /^\/(?:api(?:\/\w+)?|apis\/[^/]+\/\w+|version)$/.test(path);
    if (
      exchange.request.method !== 'GET' &&
      (isRouted || (this.#hasKeyPaths && keyPaths.has(path)))
    ) {
      throw methodNotAllowed();
    }
    // Nothing is left out of a path: what is empty in the middle is at no handler.
    if (info.path.includes('//')) return pathOfNothing(exchange);
    if (path.startsWith('/openapi/')) return await this.#openApi(exchange, { path, info, user });
    if (/^\/apis?(?:\/|$)/.test(path)) return this.#discover(exchange, path);
    if (path.startsWith(FLOW_DUMPS)) return this.#dumpFlows(exchange, path, info.query);
    if (/^\/(healthz|livez|readyz)(\/[^/]|$)/.test(info.path))
      return await this.#answerHealth(exchange, info);
    switch (path) {
      case '/version':
        refuseUnless(exchange, JSON_TYPE);
        return sendJson(exchange, version, { isPretty: true });
      case '/metrics':
        if (exchange.request.method === 'DELETE') return this.#resetMetrics(exchange);
        return this.#sendMetrics(exchange, await this.#metrics());
      case '/metrics/slis':
        return this.#sendMetrics(exchange, [...this.#health.lines(), ...this.#server.startLines()]);
      case KEYS_PATH:
        if (!this.#hasKeyPaths) return pathOfNothing(exchange);
        return this.#sendKeys(exchange, await this.#tokens.keys.jwks(), KEY_SET_TYPE);
      case ISSUER_PATH:
        if (!this.#hasKeyPaths) return pathOfNothing(exchange);
        return this.#sendKeys(exchange, this.#issuer(), JSON_TYPE);
      case '/':
        return sendJson(exchange, { paths: this.#paths() }, { isPretty: true });
      default:
        if (info.path === '/statusz' || info.path === '/flagz') {
          return this.#componentPage(exchange, info.path === '/statusz' ? 'statusz' : 'flagz');
        }
        if (path.startsWith('/version/')) throw unknownResource();
        return pathOfNothing(exchange);
    }
  }

  #componentPage(exchange: Exchange, page: 'statusz' | 'flagz'): void {
    const { clock, random } = this.#env;
    const state = { nowMs: clock.now(), paths: this.#paths(), random };
    sendComponentPage(exchange, page, { facts: this.#facts, state });
  }

  #issuer(): object {
    return {
      issuer: this.#tokens.issuer,
      jwks_uri: this.#tokens.settings.jwksUri ?? `https://${this.#address}${KEYS_PATH}`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: this.#tokens.keys.algorithms,
    };
  }

  #sendKeys(exchange: Exchange, value: object, contentType: string): void {
    refuseUnless(exchange, contentType);
    const headers = { 'Cache-Control': `public, max-age=${this.#tokens.keys.cacheSeconds}` };
    sendText(exchange, JSON.stringify(value), { contentType, headers });
  }

  /** What is served, as upstream lists it for those who look around. */
  #paths(): string[] {
    const groups = groupsOf(this.#registry, this.#aggregation).filter(({ group }) => group !== '');
    const apis = groups.flatMap(({ group, versions }) => [
      `/apis/${group}`,
      ...versions.map((one) => `/apis/${group}/${one}`),
    ]);
    const health = ['healthz', 'livez', 'readyz'].flatMap((endpoint) => [
      `/${endpoint}`,
      ...this.#health.namesOf(endpoint).map((name) => `/${endpoint}/${name}`),
    ]);
    return [
      ...(this.#hasKeyPaths ? keyPaths : []),
      '/api',
      '/api/v1',
      '/apis',
      '/apis/',
      ...apis,
      '/flagz',
      ...health,
      '/metrics',
      '/metrics/slis',
      '/openapi/v2',
      '/openapi/v3',
      '/openapi/v3/',
      '/statusz',
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
    const lines = [
      ...this.#requests.lines(),
      ...this.#server.lines(),
      ...this.#internals.lines(),
      ...(await this.#objects.lines()),
      ...(await this.#allocations.lines()),
      ...this.#discovery.metrics(),
      ...this.#health.lines(),
      ...this.#aggregation.metrics(),
      ...this.#flows.metrics(),
      ...this.#tokens.keys.metrics(),
      ...this.#access.flatMap((one) => one.lines()),
    ];
    return this.#labels?.limit(lines) ?? lines;
  }

  /** Counters begin anew; what is looked up when it is shown stays. */
  #resetMetrics(exchange: Exchange): void {
    for (const one of [this.#requests, this.#server, this.#internals, ...this.#access]) one.reset();
    this.#discovery.resetMetrics();
    this.#health.resetMetrics();
    this.#flows.resetMetrics();
    sendText(exchange, 'metrics reset\n', { contentType: 'text/plain; charset=utf-8' });
  }

  #sendMetrics(exchange: Exchange, lines: readonly string[]): void {
    const { contentType, bytes } = metricPage(lines, exchange.request.headers.accept);
    sendBytes(exchange, bytes, { contentType });
  }

  #discover(exchange: Exchange, path: string): void {
    const [, root, group = ''] = path.split('/');
    const isNobodys = root === 'apis' && group !== '' && !this.#serves(group);
    if (isNobodys) return pathOfNothing(exchange);
    this.#discovery.answer(exchange, path, this.#address);
  }

  #serves(group: string): boolean {
    const isRemote = this.#aggregation.remotes.some((one) => one.group === group);
    return isRemote || this.#registry.all().some((one) => one.group === group);
  }

  async #openApi(
    exchange: Exchange,
    { path, info, user }: { path: string; info: RequestInfo; user: UserInfo },
  ): Promise<void> {
    const nowMs = this.#env.clock.now();
    const documents = this.#openApiDocuments;
    if (path === '/openapi/v2') {
      return await sendOpenApi(exchange, await documents.v2(), { version: 'v2', nowMs });
    }
    if (path === '/openapi/v3') {
      return sendBytes(exchange, await documents.v3Index(), {
        contentType: 'text/plain; charset=utf-8',
        headers: { 'Last-Modified': new Date(nowMs).toUTCString() },
      });
    }
    const wanted = path.slice('/openapi/v3/'.length);
    const remote = this.#aggregation.remoteOf(`/${wanted}`);
    if (remote?.documents.openApiV3Url !== undefined) {
      return await passRequest(exchange, { ...remote, user });
    }
    const document = await documents.v3(wanted);
    if (document === undefined) {
      const { response, headers } = exchange;
      response.writeHead(404, { ...headers, 'Cache-Control': 'no-cache, private' });
      return void response.end();
    }
    const address = `${path}?hash=${document.hash}`;
    const hash = info.query.get('hash') ?? '';
    await sendOpenApi(exchange, document, { version: 'v3', hash, address, nowMs });
  }
}

const JSON_TYPE = 'application/json';
const KEY_SET_TYPE = 'application/jwk-set+json';
const KEYS_PATH = '/openid/v1/jwks';
const ISSUER_PATH = '/.well-known/openid-configuration';
const keyPaths = new Set([KEYS_PATH, ISSUER_PATH]);

/** Throws ApiError 406. */
function refuseUnless({ request }: Exchange, contentType: string): void {
  if (!isRoutable(request, [contentType])) throw notRouted([contentType]);
}
