// /api and /apis: what is served, group by group or all at once (aggregated), as JSON, YAML or protobuf, with a
// tag by which clients keep the latter (endpoints/discovery of k8s.io/apiserver v0.37).
import {
  aggregatedDocument,
  apiGroupDocument,
  apiGroupListDocument,
  apiResourceListDocument,
  apiVersionsDocument,
} from '#kube/openapi/discovery.ts';
import { hashOf } from '#kube/openapi/made-documents.ts';
import type { TypeRegistry } from '#kube/types/registry.ts';
import type { Aggregation } from './aggregation/aggregation.ts';
import { plainError } from './aggregation/proxy.ts';
import { packedIfLong, sendBytes, sendValue, type Exchange } from './bodies.ts';
import { unknownResource } from './faults.ts';
import { Counter } from './metrics/metric-set.ts';
import {
  isRoutable,
  mediaTypes,
  negotiateDocument,
  notAccepted,
  notRouted,
  type DocumentForm,
  type DocumentForms,
  type Media,
} from './negotiation.ts';

const types = [mediaTypes.json, mediaTypes.yaml, mediaTypes.protobuf];
const plain: DocumentForms = { types, hasStreams: true, allows: (_type, as) => as === undefined };
/** Whatever the profile: there are no peers whose groups could be merged in. */
const aggregated: DocumentForms = {
  types,
  hasStreams: true,
  allows: (_type, as) =>
    as?.kind === 'APIGroupDiscoveryList' &&
    as.group === 'apidiscovery.k8s.io' &&
    as.version === 'v2',
};

interface Aggregated {
  readonly value: object;
  readonly bytes: Buffer;
  readonly packed: Buffer | undefined;
  readonly tag: string;
}

function mediaOf({ type }: DocumentForm): Media {
  if (type === mediaTypes.yaml) return 'yaml';
  return type === mediaTypes.protobuf ? 'protobuf' : 'json';
}

const acceptedOf = (form: DocumentForm): NonNullable<Exchange['accepted']> => {
  return { media: mediaOf(form), as: undefined, version: 'v1', isPretty: form.isPretty };
};

export class DiscoveryAnswers {
  readonly #registry: TypeRegistry;
  readonly #aggregation: Aggregation;
  /** Until a resource comes or goes. */
  readonly #aggregated = new Map<string, Aggregated>();

  readonly #made = new Counter('aggregator_discovery_aggregation_count_total');

  constructor(registry: TypeRegistry, aggregation: Aggregation) {
    this.#registry = registry;
    this.#aggregation = aggregation;
    registry.onChange(() => this.#aggregated.clear());
    aggregation.onChange(() => this.#aggregated.clear());
  }

  /** `path`: /api, /apis or below, without a slash at its end; `address`: of this server. */
  answer(exchange: Exchange, path: string, address: string): void {
    const isRoot = path === '/api' || path === '/apis';
    // /api and versions of built-in groups are routes, the others are not.
    if (this.#isRoute(path) && !isRoutable(exchange.request, types)) throw notRouted(types);
    if (isRoot) {
      const form = negotiateDocument(exchange.request, aggregated);
      if (form !== undefined) return this.#sendAggregated(exchange, path, form);
    }
    const document = this.#document(path, address);
    // Versions of definitions are no routes: whoever asks for one that is not served finds no handler.
    if (document === undefined) return this.#nothing(exchange);
    const form = negotiateDocument(exchange.request, plain);
    if (form === undefined) throw notAccepted(types);
    exchange.accepted = acceptedOf(form);
    sendValue(exchange, document);
  }

  #nothing({ response, headers }: Exchange): void {
    const own = { ...headers, 'Cache-Control': 'no-cache, private' };
    plainError(response, 404, '404 page not found', own);
  }

  metrics(): string[] {
    return this.#made.lines();
  }

  resetMetrics(): void {
    this.#made.reset();
  }

  #isRoute(path: string): boolean {
    const [, root, group = '', version] = path.split('/');
    if (root === 'api') return group === '' || group === 'v1';
    return (
      version !== undefined &&
      this.#registry
        .all()
        .some(
          (one) =>
            one.group === group &&
            one.version === version &&
            one.customResourceDefinition === undefined,
        )
    );
  }

  #document(path: string, address: string): object | undefined {
    if (path === '/api') return apiVersionsDocument(address);
    if (path === '/apis') return apiGroupListDocument(this.#registry, this.#aggregation);
    const [, root, group = '', version] = path.split('/');
    const found =
      root === 'api'
        ? apiResourceListDocument(this.#registry, '', group)
        : version === undefined
          ? apiGroupDocument(this.#registry, group, this.#aggregation)
          : apiResourceListDocument(this.#registry, group, version);
    if (found !== undefined) return found;
    const isDefined = this.#registry
      .all()
      .some((one) => one.group === group && one.customResourceDefinition !== undefined);
    if (root === 'apis' && isDefined) return undefined;
    throw unknownResource();
  }

  #sendAggregated(exchange: Exchange, path: string, form: DocumentForm): void {
    const { value, bytes, packed, tag } = this.#aggregatedDocument(path);
    const headers = { ETag: tag, Vary: 'Accept', 'Cache-Control': 'public' };
    if (exchange.request.headers['if-none-match'] === tag) {
      exchange.audit?.answered(304, () => undefined);
      exchange.response.writeHead(304, { ...exchange.headers, ...headers });
      return void exchange.response.end();
    }
    const contentType = `${form.type};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList`;
    if (mediaOf(form) === 'json' && !form.isPretty) {
      return sendBytes(exchange, bytes, { contentType, headers, packed });
    }
    exchange.accepted = acceptedOf(form);
    sendValue(exchange, value, { contentType, headers });
  }

  /** Kept while only this server serves: how fresh the others' part is may change at any time. */
  #aggregatedDocument(path: string): Aggregated {
    const known = this.#aggregated.get(path);
    const isAlone = this.#aggregation.remotes.length === 0;
    if (known !== undefined && isAlone) return known;
    this.#made.add();
    const which = path === '/api' ? 'core' : 'groups';
    const value = aggregatedDocument(this.#registry, which, this.#aggregation);
    const text = JSON.stringify(value);
    const bytes = Buffer.from(`${text}\n`);
    const document = { value, bytes, packed: packedIfLong(bytes), tag: `"${hashOf(text)}"` };
    if (isAlone) this.#aggregated.set(path, document);
    return document;
  }
}
