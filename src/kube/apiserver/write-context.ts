// What a request says of the write that it asks for.
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import type { Exchange } from './bodies.ts';
import type { RequestInfo } from './request-info.ts';
import { writeDeadline } from './request-deadline.ts';
import { writeOptions } from './request-options.ts';
import type { WriteContext } from './resources.ts';
import type { UserInfo } from './user.ts';

export interface Asked {
  readonly info: RequestInfo;
  readonly resource: ResourceInfo;
  readonly user: UserInfo;
  readonly now: () => number;
}

export function writeContextOf(
  exchange: Pick<Exchange, 'request' | 'audit' | 'warnings' | 'receivedMs'>,
  { info, resource, user, now }: Asked,
): WriteContext {
  const { query } = info;
  const { receivedMs } = exchange;
  const validation = query.get('fieldValidation');
  const warnings = [...(exchange.warnings ?? [])];
  // Whatever the answer is, errors included.
  exchange.warnings = warnings;
  const agent =
    String(exchange.request.headers['user-agent'] ?? 'unknown').split('/')[0] ?? 'unknown';
  return {
    info: resource,
    subresource: info.subresource,
    namespace: info.namespace,
    user,
    verb: info.verb,
    fieldManager: query.get('fieldManager') || agent,
    fieldValidation: validation === 'Strict' || validation === 'Ignore' ? validation : 'Warn',
    isDryRun: query.getAll('dryRun').includes('All'),
    options: writeOptions(query),
    warnings,
    emptied: [],
    annotations: exchange.audit?.annotations,
    deadline: receivedMs === undefined ? undefined : writeDeadline(query, receivedMs, now),
  };
}
