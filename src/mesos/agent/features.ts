// What an agent can, as it tells its master: Mesos' --agent_features takes away what an agent need not have.
import { AGENT_CAPABILITIES } from '#mesos/resources/agent-capabilities.ts';
import type { AgentInfo_Capability } from '#wire/mesos/v1.ts';

/** What Mesos 1.11 wants of every agent. */
const WANTED = [
  'MULTI_ROLE',
  'HIERARCHICAL_ROLE',
  'RESERVATION_REFINEMENT',
  'AGENT_OPERATION_FEEDBACK',
  'RESOURCE_PROVIDER',
  'AGENT_DRAINING',
  'TASK_RESOURCE_LIMITS',
] as const;

/** `text`: `{"capabilities":[{"type":"MULTI_ROLE"}, …]}`, or empty: all. Throws with what is wrong. */
export function agentFeatures(text: string): readonly AgentInfo_Capability[] {
  if (text === '') return AGENT_CAPABILITIES.map((type) => ({ type }));
  const parsed = JSON.parse(text) as { readonly capabilities?: unknown } | null;
  const given = parsed?.capabilities;
  if (!Array.isArray(given)) throw new Error('"capabilities" is no list');
  const types = new Set(given.map((one: { readonly type?: unknown } | null) => one?.type));
  const foreign = [...types].find(
    (type) => !(AGENT_CAPABILITIES as readonly unknown[]).includes(type),
  );
  if (foreign !== undefined)
    throw new Error(`${JSON.stringify(foreign)} is no feature of an agent`);
  const missing = WANTED.filter((type) => !types.has(type));
  if (missing.length > 0) {
    throw new Error(
      'At least the following agent features need to be enabled: ' +
        `${WANTED.slice(0, -1).join(', ')}, and ${WANTED.at(-1)}`,
    );
  }
  return AGENT_CAPABILITIES.filter((type) => types.has(type)).map((type) => ({ type }));
}
