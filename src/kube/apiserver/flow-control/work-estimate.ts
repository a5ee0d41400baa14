// How many seats a request takes: lists by how much they load, writes by how many watchers they wake
// (util/flowcontrol/request of k8s.io/apiserver v0.37, with SizeBasedListCostEstimate as it is by default).
import type { RequestInfo } from '#kube/apiserver/request-info.ts';
import type { Work } from './queue-set.ts';

const BYTES_PER_SEAT = 100_000;
/** Lists are streamed out of the cache: more than this is never held at once. */
const STREAMED_BYTES_MAX = 1_000_000;
const LIST_SEATS_MAX = 100;
const WRITE_SEATS_MAX = 10;
const WATCHES_PER_SEAT = 10;
/**
 * What one seat's watchers cost. Upstream reckons with 5 ms; here the event is encoded once for all of
 * them, and sent together with others.
 */
const EVENT_MS = 0.5;

export interface ResourceSize {
  readonly count: number;
  readonly bytesMean: number;
}

export interface Estimates {
  /** undefined: not known (yet), or of another server. */
  sizeOf(info: RequestInfo): ResourceSize | undefined;
  watchersOf(info: RequestInfo): number;
}

const single: Work = { initialSeats: 1, finalSeats: 0, additionalMs: 0 };

function isFromCache({ verb, query }: RequestInfo): boolean {
  if (verb === 'watch') return true;
  return query.get('resourceVersionMatch') !== 'Exact' && !query.has('continue');
}

function listWork(info: RequestInfo, estimates: Estimates, seatsMax: number): Work {
  const { verb, query } = info;
  if (verb === 'watch') {
    const version = query.get('resourceVersion') ?? '';
    const sendsState =
      query.get('sendInitialEvents') === 'true' || version === '' || version === '0';
    if (!sendsState) return single;
  }
  const size = estimates.sizeOf(info);
  if (size === undefined) return single;
  const limit = Number(query.get('limit') ?? 0);
  const limited = limit > 0 ? Math.min(limit, size.count) : size.count;
  const isSelecting = query.has('labelSelector') || query.has('fieldSelector');
  let loaded = limited;
  if (info.name !== undefined) loaded = 1;
  else if (!isFromCache(info) && isSelecting) loaded = Math.max(limited, size.count / 2);
  let bytes = loaded * size.bytesMean;
  if (isFromCache(info)) bytes = Math.min(bytes, STREAMED_BYTES_MAX);
  const seats = Math.ceil(bytes / BYTES_PER_SEAT);
  const initialSeats = Math.max(1, Math.min(seats, seatsMax, LIST_SEATS_MAX));
  return initialSeats === 1 ? single : { ...single, initialSeats };
}

function writeWork(info: RequestInfo, estimates: Estimates, seatsMax: number): Work {
  // Nobody sees an event of a token.
  if (info.resource === 'serviceaccounts' && info.subresource === 'token') return single;
  const watchers = estimates.watchersOf(info);
  if (watchers < WATCHES_PER_SEAT) return single;
  const wanted = Math.ceil(watchers / WATCHES_PER_SEAT);
  const finalSeats = Math.min(wanted, seatsMax, WRITE_SEATS_MAX);
  return { initialSeats: 1, finalSeats, additionalMs: (wanted * EVENT_MS) / finalSeats };
}

/** `seatsMax`: of one request on its level. */
export function workOfRequest(info: RequestInfo, estimates: Estimates, seatsMax: number): Work {
  switch (info.verb) {
    case 'list':
    case 'watch':
      return listWork(info, estimates, seatsMax);
    case 'create':
    case 'update':
    case 'patch':
    case 'delete':
      return writeWork(info, estimates, seatsMax);
    default:
      return single;
  }
}
