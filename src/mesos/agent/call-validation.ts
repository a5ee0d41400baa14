// Whether the calls of the agent's v1 operator API have all that they need, in the order and the words of Mesos
// 1.11 (`src/slave/validation.cpp`).
import { validateResources } from '#mesos/resources/validation.ts';
import { isReserved } from '#mesos/resources/kinds.ts';
import { validateCommand, validateContainer, withPrefix } from '#mesos/validation/infos.ts';
import type { AgentCall, AgentCall_Type, ContainerID, LinuxInfo } from '#wire/mesos/v1.ts';
import { idProblem } from './container-id.ts';

/** About one container, or what goes into it. */
export const containerCalls: ReadonlySet<AgentCall_Type | undefined> = new Set([
  'LAUNCH_NESTED_CONTAINER',
  'WAIT_NESTED_CONTAINER',
  'KILL_NESTED_CONTAINER',
  'REMOVE_NESTED_CONTAINER',
  'LAUNCH_NESTED_CONTAINER_SESSION',
  'ATTACH_CONTAINER_INPUT',
  'ATTACH_CONTAINER_OUTPUT',
  'LAUNCH_CONTAINER',
  'WAIT_CONTAINER',
  'KILL_CONTAINER',
  'REMOVE_CONTAINER',
]);

/** Whose body has to be there; it is named as the type, in lower case. */
const withBody: ReadonlySet<AgentCall_Type | undefined> = new Set([
  ...containerCalls,
  'GET_METRICS',
  'SET_LOGGING_LEVEL',
  'LIST_FILES',
  'READ_FILE',
  'ADD_RESOURCE_PROVIDER_CONFIG',
  'UPDATE_RESOURCE_PROVIDER_CONFIG',
  'REMOVE_RESOURCE_PROVIDER_CONFIG',
  'MARK_RESOURCE_PROVIDER_GONE',
]);

interface Body {
  readonly container_id?: ContainerID | undefined;
  readonly info?: { readonly id?: object | undefined };
}

/** Undefined for a call that may be looked at; UNKNOWN is one. */
export function validateAgentCall(call: AgentCall): string | undefined {
  const { type } = call;
  if (type === undefined) return "Expecting 'type' to be present";
  const field = type.toLowerCase();
  const body = (call as Readonly<Record<string, unknown>>)[field] as Body | undefined;
  if (body === undefined) {
    return withBody.has(type) ? `Expecting '${field}' to be present` : undefined;
  }
  if (type === 'ATTACH_CONTAINER_INPUT') return inputProblem(call);
  if (type === 'ADD_RESOURCE_PROVIDER_CONFIG' || type === 'UPDATE_RESOURCE_PROVIDER_CONFIG') {
    return body.info?.id === undefined ? undefined : `Expecting '${field}.info.id' to be unset`;
  }
  const { container_id } = body;
  if (container_id === undefined) return undefined;
  const wrong = withPrefix(`'${field}.container_id' is invalid: `, idProblem(container_id));
  if (wrong !== undefined) return wrong;
  if (field.includes('nested') && container_id.parent === undefined) {
    return `Expecting '${field}.container_id.parent' to be present`;
  }
  return type.startsWith('LAUNCH') ? launchProblem(call, field) : undefined;
}

/** The first call on such a stream names the container, those after it hold the input. */
function inputProblem({ attach_container_input: input }: AgentCall): string | undefined {
  switch (input?.type) {
    case undefined:
      return "Expecting 'attach_container_input.type' to be present";
    case 'UNKNOWN':
      return "'attach_container_input.type' is unknown";
    case 'PROCESS_IO':
      return undefined;
    default: {
      const wrong = idProblem(input?.container_id ?? { value: '' });
      return withPrefix("'attach_container_input.container_id' is invalid: ", wrong);
    }
  }
}

function launchProblem(call: AgentCall, field: string): string | undefined {
  const given =
    call.launch_container ?? call.launch_nested_container ?? call.launch_nested_container_session;
  if (given === undefined) return undefined;
  const isStandalone = call.type === 'LAUNCH_CONTAINER';
  return (
    (isStandalone ? resourcesProblem(call) : undefined) ??
    withPrefix(`'${field}.command' is invalid: `, validateCommand(given.command)) ??
    withPrefix(`'${field}.container' is invalid: `, validateContainer(given.container)) ??
    cgroupsProblem(call, given.container_id, given.container?.linux_info)
  );
}

function resourcesProblem({ launch_container }: AgentCall): string | undefined {
  const { resources = [], container_id } = launch_container ?? {};
  const wrong = withPrefix('Invalid resources: ', validateResources(resources));
  if (wrong !== undefined || container_id?.parent !== undefined) return wrong;
  for (const one of resources) {
    if (isReserved(one)) return "'launch_container.resources' must be unreserved";
    if (one.disk?.persistence !== undefined) {
      return "'launch_container.resources' may not use persistent volumes";
    }
    if (one.revocable !== undefined) return "'launch_container.resources' must be non-revocable";
  }
  return undefined;
}

function cgroupsProblem(
  call: AgentCall,
  id: ContainerID,
  linux: LinuxInfo | undefined,
): string | undefined {
  const isTwiceNested = id.parent?.parent !== undefined;
  const shares = linux?.share_cgroups;
  const deep = 'containers nested at the second level or greater cannot';
  if (call.type === 'LAUNCH_NESTED_CONTAINER_SESSION') {
    return linux !== undefined && shares === false
      ? "'launch_nested_container_session.container.linux_info' is invalid: 'share_cgroups' cannot be set to 'false' for nested container sessions"
      : undefined;
  }
  const separate =
    isTwiceNested && shares === false ? `${deep} set 'share_cgroups' to 'false'` : undefined;
  if (call.type === 'LAUNCH_NESTED_CONTAINER') {
    return withPrefix("'launch_nested_container' is invalid: ", separate);
  }
  const { resources = [], limits = {} } = call.launch_container ?? {};
  const wrong =
    (isTwiceNested && resources.length > 0 ? `${deep} specify resources` : undefined) ??
    (isTwiceNested && Object.keys(limits).length > 0
      ? `${deep} specify resource limits`
      : undefined) ??
    separate ??
    (id.parent === undefined && shares === true
      ? "containers without a parent cannot set 'share_cgroups' to 'true'"
      : undefined);
  return withPrefix("'launch_container' is invalid: ", wrong);
}
