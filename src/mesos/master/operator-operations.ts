// The operator's reservations and volumes: v1 calls and the forms of the older endpoints become
// operations on an agent's resources. 202 when the agent is told; refusals in Mesos' words.
import { fromJson } from '#wire/mesos/codec.ts';
import type { MasterCall, Offer_Operation, Resource } from '#wire/mesos/v1.ts';
import { readForm, readList } from './form-json.ts';

export interface AskedOperation {
  readonly agentId: string;
  readonly operation: Offer_Operation;
}

/** What a v1 call asks for; undefined for calls that are about something else. */
export function operationOf(call: MasterCall): AskedOperation | undefined {
  switch (call.type) {
    case 'RESERVE_RESOURCES': {
      const { agent_id, resources, source } = call.reserve_resources ?? { agent_id: { value: '' } };
      return asked(agent_id, { type: 'RESERVE', reserve: { resources, source } });
    }
    case 'UNRESERVE_RESOURCES': {
      const { agent_id, resources } = call.unreserve_resources ?? { agent_id: { value: '' } };
      return asked(agent_id, { type: 'UNRESERVE', unreserve: { resources } });
    }
    case 'CREATE_VOLUMES': {
      const { agent_id, volumes } = call.create_volumes ?? { agent_id: { value: '' } };
      return asked(agent_id, { type: 'CREATE', create: { volumes } });
    }
    case 'DESTROY_VOLUMES': {
      const { agent_id, volumes } = call.destroy_volumes ?? { agent_id: { value: '' } };
      return asked(agent_id, { type: 'DESTROY', destroy: { volumes } });
    }
    case 'GROW_VOLUME': {
      if (call.grow_volume === undefined) return undefined;
      const { agent_id, ...grow_volume } = call.grow_volume;
      return asked(agent_id, { type: 'GROW_VOLUME', grow_volume });
    }
    case 'SHRINK_VOLUME': {
      if (call.shrink_volume === undefined) return undefined;
      const { agent_id, ...shrink_volume } = call.shrink_volume;
      return asked(agent_id, { type: 'SHRINK_VOLUME', shrink_volume });
    }
    default:
      return undefined;
  }
}

function asked(
  agentId: { readonly value: string } | undefined,
  operation: Offer_Operation,
): AskedOperation {
  return { agentId: agentId?.value ?? '', operation };
}

export const operationEndpoints: ReadonlySet<string> = new Set([
  '/reserve',
  '/unreserve',
  '/create-volumes',
  '/destroy-volumes',
]);

/** What the form `slaveId=ID&resources=[…]` of an older endpoint asks for, or what is wrong with it. */
export function operationOfForm(path: string, body: string): AskedOperation | string {
  const read = readForm(body);
  if ('wrong' in read) return read.wrong;
  const form = read.value;
  const agentId = form.get('slaveId');
  if (agentId === null) return "Missing 'slaveId' query parameter in the request body";
  const isVolumes = path.endsWith('-volumes');
  const resources = listOf(form, isVolumes ? 'volumes' : 'resources', path);
  if (typeof resources === 'string') return resources;
  switch (path) {
    case '/reserve': {
      const source = form.has('source') ? listOf(form, 'source', path) : [];
      if (typeof source === 'string') return source;
      const reserve = source.length === 0 ? { resources } : { resources, source };
      return { agentId, operation: { type: 'RESERVE', reserve } };
    }
    case '/unreserve':
      return { agentId, operation: { type: 'UNRESERVE', unreserve: { resources } } };
    case '/create-volumes':
      return { agentId, operation: { type: 'CREATE', create: { volumes: resources } } };
    default:
      return { agentId, operation: { type: 'DESTROY', destroy: { volumes: resources } } };
  }
}

function listOf(form: URLSearchParams, name: string, path: string): Resource[] | string {
  const text = form.get(name);
  if (text === null) return `Missing '${name}' query parameter in the request body`;
  const list = readList(text, (one) => fromJson('Resource', one));
  if ('value' in list) return list.value;
  // Only one of the four endpoints says it without the second word.
  const what = path === '/reserve' ? 'Error parsing' : 'Error in parsing';
  return `${what} '${name}' query parameter in the request body: ${list.wrong}`;
}
