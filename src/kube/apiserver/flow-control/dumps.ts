// /debug/api_priority_and_fairness/…: levels, queues and requests as tables that people read, in the columns
// of kube-apiserver v1.37.
import { apiVersionOf } from '#kube/meta/object.ts';
import type { RequestInfo } from '#kube/apiserver/request-info.ts';
import type { Levels } from './levels.ts';
import { seatsOf, type Ticket } from './queue-set.ts';

export interface DumpedTicket extends Ticket {
  readonly user: string;
  readonly info: RequestInfo;
  /** Milliseconds since the epoch. */
  readonly arrivedOn: number;
}

/** As text/tabwriter of Go does with a cell of at least 8 and one space after it. */
function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 8, cell.length + 2);
    });
  }
  const lines = rows.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : `${cell},`.padEnd(widths[i] ?? 0)))
      .join(''),
  );
  return `${lines.join('\n')}\n`;
}

const seatSeconds = (seatMs: number): string => `${(seatMs / 1_000).toFixed(8)}ss`;

export function dumpLevels(levels: Levels): string {
  const rows = levels
    .all()
    .map(({ name, queues, isQuiescing }) => [
      name,
      String(queues.queues.filter(({ waiting }) => waiting.length > 0).length),
      String(queues.isIdle),
      String(isQuiescing),
      String(queues.waiting),
      String(queues.executing),
      String(queues.dispatched),
      String(queues.rejected),
      String(queues.timedOut),
      String(queues.cancelled),
    ]);
  const header = [
    'PriorityLevelName',
    'ActiveQueues',
    'IsIdle',
    'IsQuiescing',
    'WaitingRequests',
    'ExecutingRequests',
    'DispatchedRequests',
    'RejectedRequests',
    'TimedoutRequests',
    'CancelledRequests',
  ];
  return table([header, ...rows]);
}

export function dumpQueues(levels: Levels): string {
  const rows = levels
    .all()
    .flatMap(({ name, queues }) =>
      queues.queues.map((queue, index) => [
        name,
        String(index),
        String(queue.waiting.length),
        String(queue.executing.size),
        String(queue.seatsInUse),
        seatSeconds(queue.nextDispatchR),
        String(queue.waiting.reduce((sum, { work }) => sum + work.initialSeats, 0)),
        String(queue.waiting.reduce((sum, { work }) => sum + seatsOf(work), 0)),
        seatSeconds(queue.workWaiting),
      ]),
    );
  const header = [
    'PriorityLevelName',
    'Index',
    'PendingRequests',
    'ExecutingRequests',
    'SeatsInUse',
    'NextDispatchR',
    'InitialSeatsSum',
    'MaxSeatsSum',
    'TotalWorkSum',
  ];
  return table([header, ...rows]);
}

function details({ user, info }: DumpedTicket): string[] {
  const { verb, path, namespace = '', name = '', resource, subresource = '' } = info;
  const version = info.isResource ? apiVersionOf(info) : '';
  return [user, verb, path, namespace, name, version, resource, subresource];
}

export function dumpRequests(levels: Levels, withDetails: boolean): string {
  const row = (level: string, at: readonly [number, number], ticket: DumpedTicket): string[] => {
    const { work, arrivedOn, arrivedAt, startedAt } = ticket;
    const startedOn = ticket.state === 'waiting' ? undefined : arrivedOn + startedAt - arrivedAt;
    return [
      level,
      ticket.schema,
      ...at.map(String),
      ticket.flow,
      new Date(arrivedOn).toISOString(),
      String(work.initialSeats),
      String(work.finalSeats),
      `${work.additionalMs}ms`,
      startedOn === undefined ? '0001-01-01T00:00:00Z' : new Date(startedOn).toISOString(),
      ...(withDetails ? details(ticket) : []),
    ];
  };
  const rows = levels
    .all()
    .flatMap(({ name, queues }) => [
      ...queues.queues.flatMap((queue, index) => [
        ...queue.waiting.map((one, i) => row(name, [index, i], one as DumpedTicket)),
        ...[...queue.executing].map((one) => row(name, [index, -1], one as DumpedTicket)),
      ]),
      ...[...queues.queueless].map((one) => row(name, [-1, -1], one as DumpedTicket)),
    ]);
  const header = [
    'PriorityLevelName',
    'FlowSchemaName',
    'QueueIndex',
    'RequestIndexInQueue',
    'FlowDistingsher',
    'ArriveTime',
    'InitialSeats',
    'FinalSeats',
    'AdditionalLatency',
    'StartTime',
  ];
  const more = [
    'UserName',
    'Verb',
    'APIPath',
    'Namespace',
    'Name',
    'APIVersion',
    'Resource',
    'SubResource',
  ];
  return table([withDetails ? [...header, ...more] : header, ...rows]);
}
