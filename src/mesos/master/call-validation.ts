// The first check of calls of schedulers and operators: what must be there, in Mesos' words.
import type { Principal } from '#mesos/security/principal.ts';
import type { MasterCall, SchedulerCall } from '#wire/mesos/v1.ts';

const UUID_BYTES = 16;

/** Calls whose body must be present; the body is named as the call, in lower case. */
const schedulerBodies: ReadonlySet<string> = new Set([
  'ACCEPT',
  'DECLINE',
  'ACCEPT_INVERSE_OFFERS',
  'DECLINE_INVERSE_OFFERS',
  'KILL',
  'SHUTDOWN',
  'ACKNOWLEDGE',
  'ACKNOWLEDGE_OPERATION_STATUS',
  'RECONCILE',
  'RECONCILE_OPERATIONS',
  'MESSAGE',
  'REQUEST',
  'UPDATE_FRAMEWORK',
]);

function hasBody(call: object, type: string): boolean {
  return (call as Record<string, unknown>)[type.toLowerCase()] !== undefined;
}

function expecting(field: string): string {
  return `Expecting '${field}' to be present`;
}

/** Undefined where nobody has said who they are, or the framework does not. */
export function differingPrincipal(
  principal: Principal | undefined,
  own: string | undefined,
): string | undefined {
  if (principal === undefined || own === undefined || principal.value === own) return undefined;
  return `Authenticated principal '${principal.value}' does not match principal '${own}' set in \`FrameworkInfo\``;
}

/** `principal`: of an HTTP request; undefined for drivers, whose links have one. */
export function validateSchedulerCall(
  call: SchedulerCall,
  principal?: Principal,
): string | undefined {
  const { type } = call;
  if (type === undefined) return expecting('type');
  if (type === 'SUBSCRIBE') {
    const { subscribe } = call;
    if (subscribe === undefined) return expecting('subscribe');
    const own = subscribe.framework_info.id?.value ?? '';
    if ((call.framework_id?.value ?? '') !== own) {
      return "'framework_id' differs from 'subscribe.framework_info.id'";
    }
    return differingPrincipal(principal, subscribe.framework_info.principal);
  }
  if (call.framework_id === undefined) return expecting('framework_id');
  if (schedulerBodies.has(type) && !hasBody(call, type)) return expecting(type.toLowerCase());
  if (type === 'ACKNOWLEDGE' && call.acknowledge?.uuid.length !== UUID_BYTES) {
    return 'Not a valid UUID';
  }
  if (type === 'ACKNOWLEDGE_OPERATION_STATUS') {
    const { uuid, agent_id } = call.acknowledge_operation_status ?? {};
    if (uuid?.length !== UUID_BYTES) return 'Not a valid UUID';
    if (agent_id === undefined) return expecting('agent_id');
  }
  if (type === 'UPDATE_FRAMEWORK') {
    const own = call.update_framework?.framework_info.id?.value ?? '';
    if (own !== call.framework_id.value) {
      return "'framework_id' differs from 'update_framework.framework_info.id'";
    }
  }
  return undefined;
}

const bodilessOperatorCalls: ReadonlySet<string> = new Set([
  'UNKNOWN',
  'GET_HEALTH',
  'GET_FLAGS',
  'GET_VERSION',
  'GET_LOGGING_LEVEL',
  'GET_STATE',
  'GET_AGENTS',
  'GET_FRAMEWORKS',
  'GET_EXECUTORS',
  'GET_OPERATIONS',
  'GET_TASKS',
  'GET_ROLES',
  'GET_WEIGHTS',
  'GET_MASTER',
  'SUBSCRIBE',
  'GET_MAINTENANCE_STATUS',
  'GET_MAINTENANCE_SCHEDULE',
  'GET_QUOTA',
]);

export function validateMasterCall(call: MasterCall): string | undefined {
  const { type } = call;
  if (type === undefined) return expecting('type');
  if (!bodilessOperatorCalls.has(type) && !hasBody(call, type)) {
    return expecting(type.toLowerCase());
  }
  const resized =
    type === 'GROW_VOLUME'
      ? call.grow_volume
      : type === 'SHRINK_VOLUME'
        ? call.shrink_volume
        : undefined;
  if (resized !== undefined && resized.agent_id === undefined) {
    return `${expecting('agent_id')}; only agent default resources are supported right now`;
  }
  return undefined;
}
