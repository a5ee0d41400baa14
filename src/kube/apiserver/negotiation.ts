// Which form an answer takes, out of the Accept header: as k8s.io/apiserver v1.37 negotiates, quality
// values, transformations (tables, metadata only) and streams included.
import type { IncomingMessage } from 'node:http';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { ApiError } from '#kube/meta/status.ts';

export type Media = 'json' | 'yaml' | 'protobuf';

export interface Accepted {
  readonly media: Media;
  /** undefined: the object itself. */
  readonly as: 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList' | undefined;
  /** The version of the transformation's group, meta.k8s.io. */
  readonly version: string;
  readonly isPretty: boolean;
}

export const mediaTypes: Readonly<Record<Media, string>> = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
};

interface Clause {
  readonly type: string;
  readonly subtype: string;
  readonly quality: number;
  readonly parameters: ReadonlyMap<string, string>;
}

function parseClause(part: string): Clause | undefined {
  const [range = '', ...rest] = part.split(';');
  const [type = '', subtype, more] = range.split('/').map((one) => one.trim());
  if (more !== undefined || (subtype === undefined && type !== '*')) return undefined;
  let quality = 1;
  const parameters = new Map<string, string>();
  for (const one of rest) {
    const [name = '', value, extra] = one.split('=');
    if (value === undefined || value === '' || extra !== undefined) continue;
    if (name.trim() === 'q') quality = Number(value) || 0;
    else parameters.set(name.trim(), value.trim());
  }
  return { type, subtype: subtype ?? '*', quality, parameters };
}

/** The best first; what is equally good stays in the order of the header. */
function parseAccept(header: string): Clause[] {
  const clauses = header.split(',').flatMap((part) => parseClause(part.trim()) ?? []);
  const rank = ({ type, subtype }: Clause): number =>
    (type === '*' ? 0 : 2) + (subtype === '*' ? 0 : 1);
  return clauses.toSorted((a, b) => b.quality - a.quality || rank(b) - rank(a));
}

export interface Offered {
  /** In the server's order of preference. */
  readonly media: readonly Media[];
  /** Whether objects may be asked for as tables or metadata; those may be protobuf in any case. */
  readonly hasTransforms: boolean;
  readonly isWatch: boolean;
}

const builtin: readonly Media[] = ['json', 'yaml', 'protobuf'];
const custom: readonly Media[] = ['json', 'yaml'];
const transformed = new Set(['Table', 'PartialObjectMetadata', 'PartialObjectMetadataList']);

export function offeredFor(info: ResourceInfo, verb: string): Offered {
  const media = info.customResourceDefinition === undefined ? builtin : custom;
  // What is only made (reviews, bindings) has no table.
  const hasTransforms = info.verbs.some((one) => one !== 'create');
  return { media, hasTransforms, isWatch: verb === 'watch' };
}

function matches(clause: Clause, media: Media): boolean {
  const [type, subtype] = mediaTypes[media].split('/');
  if (clause.type === '*') return clause.subtype === '*';
  return clause.type === type && (clause.subtype === subtype || clause.subtype === '*');
}

function allows(offered: Offered, clause: Clause, media: Media): boolean {
  const { parameters } = clause;
  const stream = parameters.get('stream') ?? '';
  if (stream !== '' && (stream !== 'watch' || media === 'yaml')) return false;
  const target = ['as', 'g', 'v'].some((name) => parameters.has(name));
  if (!target) return offered.media.includes(media);
  if (!offered.hasTransforms) return false;
  const version = parameters.get('v') ?? '';
  const kind = parameters.get('as') ?? '';
  if (parameters.get('g') !== 'meta.k8s.io' || !['v1', 'v1beta1'].includes(version)) return false;
  return transformed.has(kind) && (kind !== 'Table' || media !== 'protobuf');
}

function isTrue(text: string): boolean {
  return ['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text);
}

/** What people read is written over several lines. */
function isPretty(request: IncomingMessage): boolean {
  const { url = '' } = request;
  if (url.includes('pretty')) {
    const wanted = new URL(url, 'https://server').searchParams.get('pretty');
    if (wanted !== null && wanted !== '') return isTrue(wanted);
  }
  return /^(?:curl|Wget|Mozilla\/5\.0)/.test(String(request.headers['user-agent'] ?? ''));
}

/** undefined when the server has nothing that the client accepts. */
export function negotiate(request: IncomingMessage, offered: Offered): Accepted | undefined {
  const header = String(request.headers.accept ?? '');
  const plain = { media: 'json', as: undefined, version: 'v1' } as const;
  if (header === '' || header === mediaTypes.json) return { ...plain, isPretty: isPretty(request) };
  for (const clause of parseAccept(header)) {
    for (const media of builtin) {
      if (!matches(clause, media) || !allows(offered, clause, media)) continue;
      if (offered.isWatch && media === 'yaml') return undefined;
      const as = clause.parameters.get('as') as Accepted['as'];
      const version = clause.parameters.get('v') ?? 'v1';
      const wantsPretty = clause.parameters.get('pretty') === '1' || isPretty(request);
      return { media, as, version, isPretty: wantsPretty };
    }
  }
  return undefined;
}

/** ApiError 406. The words depend on whether any of the media types was named at all. */
export function negotiateOrRefuse(request: IncomingMessage, offered: Offered): Accepted {
  const found = negotiate(request, offered);
  if (found !== undefined) return found;
  const names = offered.media.map((media) => mediaTypes[media]);
  const clauses = parseAccept(String(request.headers.accept ?? ''));
  const isKnown = clauses.some((clause) => builtin.some((media) => matches(clause, media)));
  if (!isKnown && offered.media.length === builtin.length) {
    const message = `406: Not Acceptable\n\nAvailable representations: ${names.join(', ')}`;
    throw new ApiError(406, 'NotAcceptable', message, {});
  }
  const streams = names.filter((name) => name !== mediaTypes.yaml);
  const listed = offered.isWatch ? streams.map((name) => `${name};stream=watch`) : names;
  const message = `only the following media types are accepted: ${listed.join(', ')}`;
  throw new ApiError(406, 'NotAcceptable', message);
}
