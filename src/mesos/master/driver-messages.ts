// Scheduler drivers (v0) speak libprocess messages instead of HTTP: what they send as the calls that
// the core knows, and its events as the messages that they wait for (inventory sections 2 and 7; the
// messages of sched.cpp and master.cpp of Mesos 1.11).
import type { Messages, SchedulerCall, SchedulerEvent } from '#wire/mesos/v1.ts';

/** Messages of drivers, current and older ones, by the name of their type in #wire/mesos/v1.ts. */
export const fromDriverNames = [
  'DriverCall',
  'SubmitSchedulerRequest',
  'RegisterFrameworkMessage',
  'ReregisterFrameworkMessage',
  'UnregisterFrameworkMessage',
  'DeactivateFrameworkMessage',
  'ResourceRequestMessage',
  'LaunchTasksMessage',
  'ReviveOffersMessage',
  'KillTaskMessage',
  'StatusUpdateAcknowledgementMessage',
  'FrameworkToExecutorMessage',
  'ReconcileTasksMessage',
] as const;
export type FromDriverName = (typeof fromDriverNames)[number];
export type FromDriver = {
  [Name in FromDriverName]: { readonly name: Name; readonly body: Messages[Name] };
}[FromDriverName];

export type ToDriverName =
  | 'FrameworkRegisteredMessage'
  | 'FrameworkReregisteredMessage'
  | 'ResourceOffersMessage'
  | 'InverseOffersMessage'
  | 'RescindResourceOfferMessage'
  | 'RescindInverseOfferMessage'
  | 'StatusUpdateMessage'
  | 'LostSlaveMessage'
  | 'ExitedExecutorMessage'
  | 'ExecutorToFrameworkMessage'
  | 'FrameworkErrorMessage'
  | 'SubmitSchedulerResponse';
export type ToDriver = {
  [Name in ToDriverName]: { readonly name: Name; readonly body: Messages[Name] };
}[ToDriverName];

/** What a driver asks for: a call, a call with `force`, or one of the two that no call says. */
export type DriverRequest =
  | { readonly kind: 'call'; readonly call: SchedulerCall }
  | { readonly kind: 'subscribe'; readonly call: SchedulerCall; readonly force: boolean }
  | { readonly kind: 'deactivate'; readonly frameworkId: string }
  | { readonly kind: 'submit' }
  | { readonly kind: 'refused'; readonly why: string };

export function requestOf(message: FromDriver): DriverRequest {
  switch (message.name) {
    case 'DriverCall': {
      const { subscribe, ...call } = message.body;
      if (subscribe === undefined) return { kind: 'call', call };
      const { force = false, ...same } = subscribe;
      return { kind: 'subscribe', call: { ...call, subscribe: same }, force };
    }
    case 'SubmitSchedulerRequest':
      return { kind: 'submit' };
    case 'RegisterFrameworkMessage': {
      const framework_info = message.body.framework;
      if ((framework_info.id?.value ?? '') !== '') {
        return { kind: 'refused', why: "Registering with 'id' already set" };
      }
      return {
        kind: 'subscribe',
        call: { type: 'SUBSCRIBE', subscribe: { framework_info } },
        force: false,
      };
    }
    case 'ReregisterFrameworkMessage': {
      const { framework: framework_info, failover: force } = message.body;
      const { id: framework_id } = framework_info;
      if ((framework_id?.value ?? '') === '') {
        return { kind: 'refused', why: "Re-registering without an 'id'" };
      }
      const call = { framework_id, type: 'SUBSCRIBE' as const, subscribe: { framework_info } };
      return { kind: 'subscribe', call, force };
    }
    case 'DeactivateFrameworkMessage':
      return { kind: 'deactivate', frameworkId: message.body.framework_id.value };
    default:
      return { kind: 'call', call: olderCall(message) };
  }
}

function olderCall(
  message: Exclude<
    FromDriver,
    {
      name:
        | 'DriverCall'
        | 'SubmitSchedulerRequest'
        | 'RegisterFrameworkMessage'
        | 'ReregisterFrameworkMessage'
        | 'DeactivateFrameworkMessage';
    }
  >,
): SchedulerCall {
  const { framework_id } = message.body;
  switch (message.name) {
    case 'UnregisterFrameworkMessage':
      return { framework_id, type: 'TEARDOWN' };
    case 'ResourceRequestMessage':
      return { framework_id, type: 'REQUEST', request: { requests: message.body.requests } };
    case 'LaunchTasksMessage': {
      const { tasks: task_infos = [], offer_ids, filters } = message.body;
      if (task_infos.length === 0) {
        return { framework_id, type: 'DECLINE', decline: { offer_ids, filters } };
      }
      const operations = [{ type: 'LAUNCH' as const, launch: { task_infos } }];
      return { framework_id, type: 'ACCEPT', accept: { offer_ids, operations, filters } };
    }
    case 'ReviveOffersMessage':
      return { framework_id, type: 'REVIVE', revive: { roles: message.body.roles } };
    case 'KillTaskMessage': {
      const { task_id, kill_policy } = message.body;
      return { framework_id, type: 'KILL', kill: { task_id, kill_policy } };
    }
    case 'StatusUpdateAcknowledgementMessage': {
      const { agent_id, task_id, uuid } = message.body;
      return { framework_id, type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } };
    }
    case 'FrameworkToExecutorMessage': {
      const { agent_id, executor_id, data } = message.body;
      return { framework_id, type: 'MESSAGE', message: { agent_id, executor_id, data } };
    }
    case 'ReconcileTasksMessage': {
      const tasks = message.body.statuses?.map(({ task_id, agent_id }) => ({ task_id, agent_id }));
      return { framework_id, type: 'RECONCILE', reconcile: { tasks } };
    }
  }
}

export interface DriverContext {
  readonly frameworkId: string;
  /** `FrameworkReregisteredMessage`: the same process is back, and the master had not forgotten it. */
  readonly isReregistration: boolean;
  /** `slave(1)@ip:port`; undefined when the agent is gone. */
  readonly agentPid: (agentId: string) => string | undefined;
}

/** Undefined for what drivers are not told: heartbeats and the feedback of operations. */
export function messageFor(event: SchedulerEvent, context: DriverContext): ToDriver | undefined {
  const framework_id = { value: context.frameworkId };
  const pidOf = (agentId: string): string => context.agentPid(agentId) ?? '';
  if (event.subscribed !== undefined) {
    const { master_info } = event.subscribed;
    if (master_info === undefined) return undefined;
    const body = { framework_id: event.subscribed.framework_id, master_info };
    const name = context.isReregistration
      ? ('FrameworkReregisteredMessage' as const)
      : ('FrameworkRegisteredMessage' as const);
    return { name, body };
  }
  if (event.offers !== undefined) {
    const { offers = [] } = event.offers;
    const pids = offers.map(({ agent_id }) => pidOf(agent_id.value));
    return { name: 'ResourceOffersMessage', body: { offers, pids } };
  }
  if (event.inverse_offers !== undefined) {
    const { inverse_offers = [] } = event.inverse_offers;
    const pids = inverse_offers.map(({ agent_id }) => pidOf(agent_id?.value ?? ''));
    return { name: 'InverseOffersMessage', body: { inverse_offers, pids } };
  }
  if (event.rescind !== undefined) {
    return { name: 'RescindResourceOfferMessage', body: event.rescind };
  }
  if (event.rescind_inverse_offer !== undefined) {
    return { name: 'RescindInverseOfferMessage', body: event.rescind_inverse_offer };
  }
  if (event.update !== undefined) {
    const { status } = event.update;
    const { agent_id, executor_id, uuid, timestamp = 0 } = status;
    const update = {
      framework_id,
      ...(executor_id === undefined ? {} : { executor_id }),
      ...(agent_id === undefined ? {} : { agent_id }),
      status,
      timestamp,
      ...(uuid === undefined ? {} : { uuid }),
    };
    // A pid asks for an acknowledgement; what the master itself says needs none.
    const pid = uuid === undefined ? '' : pidOf(agent_id?.value ?? '');
    return { name: 'StatusUpdateMessage', body: pid === '' ? { update } : { update, pid } };
  }
  if (event.failure !== undefined) {
    const { agent_id, executor_id, status = -1 } = event.failure;
    if (agent_id === undefined) return undefined;
    if (executor_id === undefined) return { name: 'LostSlaveMessage', body: { agent_id } };
    return { name: 'ExitedExecutorMessage', body: { agent_id, framework_id, executor_id, status } };
  }
  if (event.message !== undefined) {
    const { agent_id, executor_id, data } = event.message;
    const body = { agent_id, framework_id, executor_id, data };
    return { name: 'ExecutorToFrameworkMessage', body };
  }
  if (event.error !== undefined) return { name: 'FrameworkErrorMessage', body: event.error };
  return undefined;
}
