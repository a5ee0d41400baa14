// What the core asks of the master, as scheduler calls.
import type { SchedulerCall } from '#wire/mesos/v1.ts';
import type { FrameworkEffect } from './types.ts';
import { requestToWire } from './wire.ts';

/** Undefined: it is no matter of the master's, or needs more than the effect says. */
export function callOf(effect: FrameworkEffect): SchedulerCall | undefined {
  switch (effect.kind) {
    case 'decline': {
      const filters = { refuse_seconds: effect.refuseSeconds };
      return { type: 'DECLINE', decline: { offer_ids: effect.offerIds.map(id), filters } };
    }
    case 'request':
      return { type: 'REQUEST', request: { requests: effect.wanted.map(requestToWire) } };
    case 'revive':
      return { type: 'REVIVE' };
    case 'suppress':
      return { type: 'SUPPRESS' };
    case 'acknowledge': {
      const uuid = new Uint8Array(Buffer.from(effect.uuid, 'base64'));
      const acknowledge = { agent_id: id(effect.agentId), task_id: id(effect.taskId), uuid };
      return { type: 'ACKNOWLEDGE', acknowledge };
    }
    case 'kill':
      return { type: 'KILL', kill: taskOf(effect) };
    case 'reconcile':
      return { type: 'RECONCILE', reconcile: { tasks: effect.tasks.map(taskOf) } };
    default:
      return undefined;
  }
}

function id(value: string): { value: string } {
  return { value };
}

function taskOf({ taskId, agentId }: { taskId: string; agentId: string | undefined }) {
  return { task_id: id(taskId), ...(agentId === undefined ? {} : { agent_id: id(agentId) }) };
}
