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

/** What would do for an answer, and not for a stream. */
const STREAMLESS = 'streamless';

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
  /** Of what is listed there are streams, too. */
  readonly isListed: boolean;
}

const builtin: readonly Media[] = ['json', 'yaml', 'protobuf'];
const custom: readonly Media[] = ['json', 'yaml'];
const transformed = new Set(['Table', 'PartialObjectMetadata', 'PartialObjectMetadataList']);

/** Endpoints of objects that upstream makes no tables of. */
const untabled = new Set(['approval', 'ephemeralcontainers', 'resize']);

export function offeredFor(info: ResourceInfo, verb: string, subresource = ''): Offered {
  const media = info.customResourceDefinition === undefined ? builtin : custom;
  // What is only made (reviews, bindings) has no table.
  const hasTransforms = info.verbs.some((one) => one !== 'create') && !untabled.has(subresource);
  const isWatch = verb === 'watch';
  return { media, hasTransforms, isWatch, isListed: isWatch || verb === 'list' };
}

function names(clause: Clause, contentType: string): boolean {
  const [type, subtype] = contentType.split('/');
  if (clause.type === '*') return clause.subtype === '*';
  return clause.type === type && (clause.subtype === subtype || clause.subtype === '*');
}

const matches = (clause: Clause, media: Media): boolean => names(clause, mediaTypes[media]);

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
  const found = negotiated(request, offered);
  return found === STREAMLESS ? undefined : found;
}

function negotiated(
  request: IncomingMessage,
  offered: Offered,
): Accepted | typeof STREAMLESS | undefined {
  const header = String(request.headers.accept ?? '');
  const plain = { media: 'json', as: undefined, version: 'v1' } as const;
  if (header === '' || header === mediaTypes.json) return { ...plain, isPretty: isPretty(request) };
  for (const clause of parseAccept(header)) {
    for (const media of builtin) {
      if (!matches(clause, media) || !allows(offered, clause, media)) continue;
      if (offered.isWatch && media === 'yaml') return STREAMLESS;
      const as = clause.parameters.get('as') as Accepted['as'];
      const version = clause.parameters.get('v') ?? 'v1';
      const wantsPretty = clause.parameters.get('pretty') === '1' || isPretty(request);
      return { media, as, version, isPretty: wantsPretty };
    }
  }
  return undefined;
}

/** Whether go-restful, which routes what is built in, lets a request through: no types of one kind (`text/*`). */
export function isRoutable({ headers }: IncomingMessage, types: readonly string[]): boolean {
  const header = String(headers.accept ?? '');
  const names = header.split(',').map((part) => part.split(';')[0]?.trim() ?? '');
  return header === '' || names.some((name) => name === '*/*' || types.includes(name));
}

/** What routes say that take none of the types. */
export function notRouted(types: readonly string[]): ApiError {
  const message = `406: Not Acceptable\n\nAvailable representations: ${types.join(', ')}`;
  return new ApiError(406, 'NotAcceptable', message, {});
}

export function notAccepted(types: readonly string[]): ApiError {
  const message = `only the following media types are accepted: ${types.join(', ')}`;
  return new ApiError(406, 'NotAcceptable', message);
}

/** ApiError 406. */
export function negotiateOrRefuse(request: IncomingMessage, offered: Offered): Accepted {
  const types = offered.media.map((media) => mediaTypes[media]);
  const streams = types
    .filter((name) => name !== mediaTypes.yaml)
    .map((name) => `${name};stream=watch`);
  if (offered.media.length === builtin.length && !isRoutable(request, types)) {
    throw notRouted(offered.isListed ? [...types, ...streams] : types);
  }
  const found = negotiated(request, offered);
  if (found !== undefined && found !== STREAMLESS) return found;
  throw notAccepted(found === STREAMLESS ? streams : types);
}

/** What a document is asked for as: `as`, `g` and `v` of a media type. */
export interface Transform {
  readonly kind: string;
  readonly group: string;
  readonly version: string;
}

/** In which forms a document about the server comes. */
export interface DocumentForms {
  /** In the server's order of preference. */
  readonly types: readonly string[];
  /** Whether a parameter names a kind of stream, of which there is one. */
  readonly hasStreams?: boolean;
  allows(type: string, as: Transform | undefined): boolean;
}

export interface DocumentForm {
  readonly type: string;
  readonly as: Transform | undefined;
  readonly isPretty: boolean;
}

function transformOf({ parameters }: Clause): Transform | undefined {
  if (!['as', 'g', 'v'].some((name) => parameters.has(name))) return undefined;
  const [kind = '', group = '', version = ''] = ['as', 'g', 'v'].map((one) => parameters.get(one));
  return { kind, group, version };
}

/** undefined when the document comes in nothing that the client accepts. */
export function negotiateDocument(
  request: IncomingMessage,
  forms: DocumentForms,
): DocumentForm | undefined {
  const header = String(request.headers.accept ?? '');
  for (const clause of parseAccept(header === '' ? '*/*' : header)) {
    const as = transformOf(clause);
    if (forms.hasStreams === true && (clause.parameters.get('stream') ?? 'watch') !== 'watch')
      continue;
    const type = forms.types.find((one) => names(clause, one) && forms.allows(one, as));
    if (type === undefined) continue;
    const wantsPretty = clause.parameters.get('pretty') === '1' || isPretty(request);
    return { type, as, isPretty: wantsPretty };
  }
  return undefined;
}
