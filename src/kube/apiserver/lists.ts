// Lists: options checked as upstream checks them, pages at one version, selection, and the bytes of the
// answer joined out of the objects' own bytes.
import { Fault } from '#base/fault.ts';
import { apiVersionOf } from '#kube/meta/object.ts';
import { goJsonFault } from '#kube/meta/go-json-error.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { parseFieldSelector, parseLabelSelector } from '#kube/meta/selectors.ts';
import { ApiError, badRequest, expired, invalid, type StatusCause } from '#kube/meta/status.ts';
import { encodeList } from '#kube/types/protobuf.ts';
import { prefixEnd, type KeyValue, type Store } from '#store/store.ts';
import {
  allUnreadable,
  checkReadable,
  collectionPrefix,
  factsOf,
  jsonItems,
  prepareObjects,
  protobufText,
} from './object-store.ts';
import { isSelected, type Selection } from './selection.ts';
import { Unreadable, unreadableList } from './unreadable.ts';

export interface ListRequest {
  readonly info: ResourceInfo;
  readonly namespace: string | undefined;
  /** Set for a watch of one object. */
  readonly name?: string | undefined;
  readonly query: URLSearchParams;
}

export interface Listed {
  readonly items: readonly KeyValue[];
  readonly revision: number;
  readonly next: string | undefined;
  readonly remaining: number | undefined;
}

/** How a kind refuses a field that it cannot be selected by. */
function wordsOf(info: ResourceInfo): (path: string) => string {
  const head = 'field label';
  if (info.group === 'batch' && info.resource === 'jobs') {
    return (path) => `${head} ${JSON.stringify(path)} not supported for Job`;
  }
  const isSlice = info.group === 'resource.k8s.io';
  const whose = isSlice ? ` for ${apiVersionOf(info)}, Kind=${info.kind}` : '';
  return (path) => `${head} not supported${whose}: ${path}`;
}

export function selectionOf({ info, name, query }: ListRequest): Selection {
  const labels = parseLabelSelector(query.get('labelSelector') ?? '');
  const words = wordsOf(info);
  const text = query.get('fieldSelector') ?? '';
  const { selectableFields, namespaced, resource } = info;
  // Kinds of no namespace that say themselves what they are selected by do not say it.
  const isPlaced = namespaced && resource !== 'podcertificaterequests';
  const isOwn = selectableFields.length > 0 && info.customResourceDefinition === undefined;
  const fields = parseFieldSelector(text, selectableFields, words, isPlaced || !isOwn);
  if (name !== undefined) fields.push({ path: 'metadata.name', value: name, isEqual: true });
  return { labels, fields };
}

// ---- options ----

const TOKEN_VERSION = 'meta.k8s.io/v1';
const GO_TOKEN = 'storage.continueToken';
/** In a token: go on at whatever is newest. */
const NEWEST = -1;

interface Token {
  readonly revision: number;
  readonly start: string;
}

/** The same tokens as upstream's, so that servers of both kinds may stand before one store. */
function encodeToken({ revision, start }: Token, prefix: string): string {
  const token = { v: TOKEN_VERSION, rv: revision, start: start.slice(prefix.length - 1) };
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

function decodeToken(text: string, prefix: string): Token {
  const wrong = 'invalid continue token: continue key is not valid';
  const odd = text.search(/[^\w-]/);
  if (odd >= 0 || text.length % 4 === 1) {
    const at = odd >= 0 ? odd : text.length - 1;
    throw badRequest(`${wrong}: illegal base64 data at input byte ${at}`);
  }
  const json = Buffer.from(text, 'base64url').toString();
  const fault = goJsonFault(json);
  if (fault !== undefined) throw badRequest(`${wrong}: ${fault}`);
  const token = JSON.parse(json) as { v?: unknown; rv?: unknown; start?: unknown } | null;
  const type = Array.isArray(token) ? 'array' : typeof token === 'boolean' ? 'bool' : typeof token;
  if (type !== 'object')
    throw badRequest(`${wrong}: json: cannot unmarshal ${type} into Go value of type ${GO_TOKEN}`);
  if (typeof token?.rv === 'string') {
    const field = 'Go struct field continueToken.rv of type int64';
    throw badRequest(`${wrong}: json: cannot unmarshal string into ${field}`);
  }
  if (token?.v !== TOKEN_VERSION) {
    const what = 'server does not recognize this encoded version';
    throw badRequest(`${wrong}: ${what} ${String(token?.v ?? '')}`);
  }
  if (!Number.isSafeInteger(token.rv) || token.rv === 0)
    throw badRequest(
      `${wrong}: incorrect encoded start resourceVersion (version ${TOKEN_VERSION})`,
    );
  if (typeof token.start !== 'string' || token.start === '')
    throw badRequest(`${wrong}: encoded start key empty (version ${TOKEN_VERSION})`);
  const key = token.start.startsWith('/') ? token.start.slice(1) : token.start;
  // A key that climbs out of the collection is no key of ours.
  if (key.split('/').some((part) => part === '..' || part === '.' || part === ''))
    throw badRequest(`${wrong}: ${token.start}`);
  return { revision: token.rv as number, start: prefix + key };
}

const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

/** ApiError 400 in the words of Go's strconv. */
export function integerOf(text: string): number {
  const head = `strconv.ParseInt: parsing ${JSON.stringify(text)}`;
  if (!/^[+-]?\d+$/.test(text)) throw badRequest(`${head}: invalid syntax`);
  const value = BigInt(text.replace('+', ''));
  if (value > INT64_MAX || value < -INT64_MAX - 1n) throw badRequest(`${head}: value out of range`);
  return Number(value);
}

/** Why a text is no version; undefined when it is one. */
function versionProblem(text: string): string | undefined {
  const quoted = JSON.stringify(text);
  const head = `Invalid value: ${quoted}: strconv.ParseUint: parsing ${quoted}`;
  if (!/^\d+$/.test(text)) return `${head}: invalid syntax`;
  return BigInt(text) > UINT64_MAX ? `${head}: value out of range` : undefined;
}

/** A number out of the query. ApiError 400 in the words of Go's strconv. */
export function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  return text === null ? undefined : integerOf(text);
}

/** Of one object: upstream reads the version after the request has been taken, so that it fails. */
export function checkGetVersion({ resource }: ResourceInfo, query: URLSearchParams): void {
  const text = query.get('resourceVersion') ?? '';
  const why = text === '' ? undefined : versionProblem(text);
  if (why === undefined) return;
  // Events are not cached, and looked for elsewhere.
  if (resource === 'events') throw badRequest(`invalid resource version: resourceVersion: ${why}`);
  throw new ApiError(500, '', `resourceVersion: ${why}`);
}

export function versionOf(query: URLSearchParams): number | undefined {
  const text = query.get('resourceVersion');
  if (text === null || text === '') return undefined;
  const why = versionProblem(text);
  if (why !== undefined) throw badRequest(`invalid resource version: resourceVersion: ${why}`);
  return Number(text);
}

function forbidden(field: string, why: string): StatusCause {
  return { reason: 'FieldValueForbidden', message: `Forbidden: ${why}`, field };
}

function unsupported(match: string, supported: readonly string[]): StatusCause {
  const values = supported.map((one) => JSON.stringify(one)).join(', ');
  const message = `Unsupported value: ${JSON.stringify(match)}: supported values: ${values}`;
  return { reason: 'FieldValueNotSupported', message, field: 'resourceVersionMatch' };
}

function listCauses(query: URLSearchParams): StatusCause[] {
  const match = query.get('resourceVersionMatch') ?? '';
  const version = query.get('resourceVersion') ?? '';
  const causes: StatusCause[] = [];
  const field = 'resourceVersionMatch';
  if (match !== '') {
    if (version === '')
      causes.push(forbidden(field, `${field} is forbidden unless resourceVersion is provided`));
    if ((query.get('continue') ?? '') !== '')
      causes.push(forbidden(field, `${field} is forbidden when continue is provided`));
    if (match !== 'Exact' && match !== 'NotOlderThan')
      causes.push(unsupported(match, ['Exact', 'NotOlderThan', '']));
    if (match === 'Exact' && version === '0')
      causes.push(forbidden(field, `${field} "exact" is forbidden for resourceVersion "0"`));
  }
  if (query.get('sendInitialEvents') !== null)
    causes.push(forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  return causes;
}

function watchCauses(query: URLSearchParams): StatusCause[] {
  const match = query.get('resourceVersionMatch') ?? '';
  const isInitial = query.get('sendInitialEvents') !== null;
  const causes: StatusCause[] = [];
  const field = 'resourceVersionMatch';
  if (isInitial && match !== 'NotOlderThan')
    causes.push(forbidden(field, `sendInitialEvents requires setting ${field} to NotOlderThan`));
  if (match !== '' && !isInitial) {
    const why = `${field} is forbidden for watch unless sendInitialEvents is provided`;
    causes.push(forbidden(field, why));
  }
  if (match !== '' && match !== 'NotOlderThan') causes.push(unsupported(match, ['NotOlderThan']));
  if ((query.get('continue') ?? '') !== '')
    causes.push(forbidden(field, `${field} is forbidden when continue is provided`));
  return causes;
}

/** ApiError 422, as upstream's ValidateListOptions. */
export function checkListOptions(query: URLSearchParams, isWatch: boolean): void {
  for (const name of ['timeoutSeconds', 'limit']) numberOf(query, name);
  const causes = isWatch ? watchCauses(query) : listCauses(query);
  if (causes.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', causes);
}

// ---- reading ----

interface Plan {
  readonly start: string;
  readonly end: string;
  readonly prefix: string;
  readonly limit: number;
  /** undefined: the newest. */
  readonly revision: number | undefined;
  readonly isContinued: boolean;
  /** Whatever this server has is good enough. */
  readonly isStaleOk: boolean;
}

/** A list of the one object that may have the name is no page of anything. */
function isOfOne({ info, namespace }: ListRequest, { fields }: Selection): boolean {
  if (info.namespaced && namespace === undefined) return false;
  return fields.some(({ path, isEqual }) => path === 'metadata.name' && isEqual);
}

function planOf(request: ListRequest, selection: Selection): Plan {
  const { info, namespace, query } = request;
  const prefix = collectionPrefix(info, namespace);
  const continued = query.get('continue') ?? '';
  const token = continued === '' ? undefined : decodeToken(continued, prefix);
  const wanted = versionOf(query);
  if (token !== undefined && (wanted ?? 0) > 0)
    throw badRequest('specifying resource version is not allowed when using continue');
  const match = query.get('resourceVersionMatch') ?? '';
  const limit = Math.max(0, numberOf(query, 'limit') ?? 0);
  // A page of a version is of that version, also where nobody says so.
  const isAlone = token === undefined && isOfOne(request, selection);
  const isPage = limit > 0 && !isAlone && token === undefined;
  const isOldPage = match === '' && isPage && (wanted ?? 0) > 0;
  const isExact = match === 'Exact' || isOldPage;
  const isCached = wanted === 0 && !isExact && token === undefined;
  const revision = token === undefined ? (isExact ? wanted : undefined) : token.revision;
  return {
    start: token?.start ?? prefix,
    end: prefixEnd(prefix),
    prefix,
    // Version 0 is served whole, as from upstream's watch cache.
    limit: isCached || isAlone ? 0 : limit,
    revision: revision !== undefined && revision < 0 ? undefined : revision,
    isContinued: token !== undefined,
    isStaleOk: isCached,
  };
}

/** One page; the store's versions make later pages show the same moment. */
export async function listPage(store: Store, request: ListRequest): Promise<Listed> {
  const { info } = request;
  const selection = selectionOf(request);
  const plan = planOf(request, selection);
  const wanted = Math.max(versionOf(request.query) ?? 0, plan.revision ?? 0);
  // Another server before the same store may be ahead of what this one has seen.
  if (wanted > store.revision() && wanted > (await store.current()))
    throw tooLarge(request.query.get('resourceVersion') || wanted, store.revision());
  const { prefix, limit } = plan;
  const isSelective = selection.labels.length + selection.fields.length > 0;
  try {
    const {
      items,
      revision: current,
      remaining,
    } = await store.range({
      start: plan.start,
      end: plan.end,
      ...(plan.revision === undefined ? {} : { revision: plan.revision }),
      ...(limit === 0 || isSelective ? {} : { limit }),
      isStaleOk: plan.isStaleOk,
    });
    const at = plan.revision ?? current;
    const chosen = await tellingUnreadable(info, items, async () => {
      checkReadable(items);
      await prepareObjects(info, items);
      return isSelective ? items.filter((kv) => isSelected(selection, factsOf(info, kv))) : items;
    });
    const left = isSelective ? chosen.length - limit : remaining;
    // Upstream looks no further than the last one of a page: there may be nothing after it.
    const isMore = isSelective && left === 0 && items.at(-1)?.key !== chosen.at(-1)?.key;
    if (limit === 0 || left < 0 || (left <= 0 && !isMore))
      return { items: chosen, revision: at, next: undefined, remaining: undefined };
    const page = isSelective ? chosen.slice(0, limit) : chosen;
    const start = `${page.at(-1)?.key ?? ''}\u0000`;
    const next = encodeToken({ revision: at, start }, prefix);
    return { items: page, revision: at, next, remaining: isSelective ? undefined : left };
  } catch (error) {
    if (error instanceof Fault && error.detail.code === 'compacted') throw listExpired(plan);
    throw error;
  }
}

/** What is made of the objects, unless some of them cannot be read: then ApiError tells of all those. */
export async function tellingUnreadable<T>(
  info: ResourceInfo,
  items: readonly KeyValue[],
  make: () => Promise<T>,
): Promise<T> {
  try {
    return await make();
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    throw unreadableList(info, allUnreadable(items));
  }
}

function listExpired(plan: Plan): ApiError {
  if (!plan.isContinued) return expired('The resourceVersion for the provided list is too old.');
  const message =
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';
  const next = encodeToken({ revision: NEWEST, start: plan.start }, plan.prefix);
  return new ApiError(410, 'Expired', message, undefined, { continue: next });
}

export function tooLarge(wanted: number | string, current: number): ApiError {
  return new ApiError(
    504,
    'Timeout',
    `Timeout: Too large resource version: ${wanted}, current: ${current}`,
    {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  );
}

// ---- answers ----

export function listMetadata(listed: Listed, isCustom = false): Record<string, unknown> {
  // Lists of custom objects have the field even when there is nothing to continue.
  const next = listed.next ?? (isCustom ? '' : undefined);
  return {
    ...(next === undefined || listed.next !== undefined ? {} : { continue: next }),
    resourceVersion: String(listed.revision),
    ...(listed.next === undefined ? {} : { continue: listed.next }),
    ...(listed.remaining === undefined ? {} : { remainingItemCount: listed.remaining }),
  };
}

/** What is before the items of a list in JSON. */
export function listHead(info: ResourceInfo, listed: Listed): Buffer {
  const isCustom = info.customResourceDefinition !== undefined;
  const metadata = JSON.stringify(listMetadata(listed, isCustom));
  const type = `"kind":"${info.listKind}","apiVersion":"${apiVersionOf(info)}"`;
  return Buffer.from(`{${type},"metadata":${metadata},"items":[`);
}

/** The whole list; the objects' own bytes are only joined. */
export function listJson(info: ResourceInfo, listed: Listed): Buffer {
  return jsonItems(info, listed.items, listHead(info, listed), ']}\n');
}

/** undefined when the kind has no message. */
export function listProtobuf(info: ResourceInfo, listed: Listed): Buffer | undefined {
  const items: string[] = [];
  for (const kv of listed.items) {
    const message = protobufText(info, kv);
    if (message === undefined) return undefined;
    items.push(message);
  }
  const list = {
    apiVersion: apiVersionOf(info),
    kind: info.listKind,
    metadata: listMetadata(listed),
  };
  return encodeList(list, items);
}
