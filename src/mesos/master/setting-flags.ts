// Those of the master's flags that are times, counts and choices: how they are read, with Mesos' names,
// defaults and bounds (inventory 10.7), and what the master makes of them.
import { Fault } from '#base/fault.ts';
import {
  bool,
  count,
  durationMs,
  flag,
  FlagTable,
  oneOf,
  optional,
  valueOrFile,
} from '#mesos/flags/flag-table.ts';
import { validateRole } from '#mesos/resources/role-names.ts';
import { parseDomain } from '#mesos/resources/domain.ts';
import type { DomainInfo } from '#wire/mesos/v1.ts';
import type { MasterOptions } from './types.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;

function within(low: number, high: number, what: string): (text: string) => number {
  return (text) => {
    const value = durationMs(text);
    if (value < low || value > high) throw new Error(`it must be ${what}`);
    return value;
  };
}

function atLeastOne(text: string): number {
  const value = count(text);
  if (value < 1) throw new Error('it must be 1 or more');
  return value;
}

/** `1/10mins` */
function rate(text: string): { readonly count: number; readonly perMs: number } | undefined {
  if (text === '') return undefined;
  const [permits = '', per = '', ...more] = text.split('/');
  if (more.length > 0 || per === '') throw new Error('it must be NUMBER/DURATION');
  return { count: atLeastOne(permits), perMs: durationMs(per) };
}

/** `cpus:0.01|mem:32`, any of which is enough; each may be several with `;`. In thousandths. */
function minimums(text: string): readonly ReadonlyMap<string, number>[] {
  if (text.trim() === '') return [];
  return text.split('|').map((one) => {
    const parts = one.split(';').filter((part) => part.trim() !== '');
    return new Map(
      parts.map((part): [string, number] => {
        const [, name = '', amount = ''] =
          /^\s*([^:\s]+)\s*:\s*(\d+(?:\.\d+)?)\s*$/.exec(part) ?? [];
        if (name === '') throw new Error(`"${part}" is no NAME:AMOUNT`);
        return [name, Math.round(Number(amount) * 1_000)];
      }),
    );
  });
}

/** `50%`, as a part of 1. */
function percentage(text: string): number {
  if (!text.endsWith('%')) throw new Error("missing '%'");
  const number = Number(text.slice(0, -1));
  if (text === '%' || Number.isNaN(number)) {
    throw new Error(`Failed to convert '${text.slice(0, -1)}' to number`);
  }
  if (number < 0 || number > 100) throw new Error('Must be within [0%-100%]');
  return number / 100;
}

function offerTimeout(text: string): number | undefined {
  if (text === '') return undefined;
  const ms = durationMs(text);
  if (ms <= 0) throw new Error('Must be greater than zero');
  return ms;
}

function roleList(text: string): ReadonlySet<string> | undefined {
  if (text === '') return undefined;
  const roles = text.split(',').filter(Boolean);
  for (const role of roles) {
    const wrong = validateRole(role);
    if (wrong !== undefined) throw new Error(`Failed to parse roles: ${wrong}`);
  }
  return new Set(roles);
}

interface Weight {
  readonly role: string;
  readonly weight: number;
}

/** `role=weight,role=weight` */
function weights(text: string): readonly Weight[] {
  return text
    .split(',')
    .filter(Boolean)
    .map((token) => {
      const [role, number, ...more] = token.split('=').filter(Boolean);
      if (role === undefined || number === undefined || more.length > 0) {
        const form = "--weights should be of the form 'role=weight,role=weight'";
        throw new Error(`Invalid weight: '${token}'. ${form}`);
      }
      const weight = Number.parseFloat(number);
      if (!(weight > 0)) throw new Error(`Invalid weight: '${token}'. Weights must be positive`);
      return { role, weight };
    });
}

function domain(text: string): DomainInfo | undefined {
  return text === '' ? undefined : parseDomain(valueOrFile(text));
}

const names = (text: string): readonly string[] => text.split(',').filter(Boolean);

export const settingKinds = {
  agent_ping_timeout: flag('15secs', within(SECOND_MS, 15 * MINUTE_MS, 'from 1secs to 15mins')),
  max_agent_ping_timeouts: flag('5', atLeastOne),
  agent_reregister_timeout: flag('10mins', within(10 * MINUTE_MS, Infinity, '10mins or more')),
  agent_removal_rate_limit: flag('', rate),
  max_completed_frameworks: flag('50', count),
  max_completed_tasks_per_framework: flag('1000', count),
  max_unreachable_tasks_per_framework: flag('1000', count),
  registry_gc_interval: flag('15mins', durationMs),
  registry_max_agent_age: flag('2weeks', durationMs),
  registry_max_agent_count: flag('102400', count),
  max_operator_event_stream_subscribers: flag('1000', atLeastOne),
  root_submissions: flag('true', bool),
  min_allocatable_resources: flag('cpus:0.01|mem:32', minimums),
  filter_gpu_resources: flag('true', bool),
  fair_sharing_excluded_resource_names: flag('', names),
  role_sorter: flag('drf', oneOf('drf', 'random')),
  framework_sorter: flag('drf', oneOf('drf', 'random')),
  cluster: flag('', optional),
  external_log_file: flag('', optional),
  recovery_agent_removal_limit: flag('100%', percentage),
  offer_timeout: flag('', offerTimeout),
  roles: flag('', roleList),
  weights: flag('', weights),
  whitelist: flag('', optional),
  domain: flag('', domain),
  require_agent_domain: flag('false', bool),
  publish_per_framework_metrics: flag('true', bool),
} as const;

const TABLE = new FlagTable(settingKinds);

/** Without those that say where the master is and who it is. */
export type MasterSettings = Omit<
  MasterOptions,
  'masterId' | 'pid' | 'hostname' | 'ip' | 'port' | 'version' | 'heartbeatMs' | 'authorizer'
>;

export function settingsFrom(given: Readonly<Record<string, string>>): MasterSettings {
  const own = Object.entries(given).filter(([name]) => TABLE.has(name));
  const value = TABLE.reader(Object.fromEntries(own));
  const roleWhitelist = value('roles');
  for (const { role, weight } of value('weights')) {
    if (role === '*' || roleWhitelist?.has(role) !== false) continue;
    const message = `Cannot start: flag "weights": Invalid weight: '${role}=${weight}'. ${role} is not a valid role`;
    throw new Fault({ code: 'bad-flag', name: 'weights' }, message);
  }
  const whitelist = value('whitelist');
  return {
    agentPingTimeoutMs: value('agent_ping_timeout'),
    agentPingTimeoutsMax: value('max_agent_ping_timeouts'),
    agentReregisterTimeoutMs: value('agent_reregister_timeout'),
    agentRemovalRate: value('agent_removal_rate_limit'),
    completedFrameworksMax: value('max_completed_frameworks'),
    completedTasksMax: value('max_completed_tasks_per_framework'),
    unreachableTasksMax: value('max_unreachable_tasks_per_framework'),
    collection: {
      intervalMs: value('registry_gc_interval'),
      ageMsMax: value('registry_max_agent_age'),
      countMax: value('registry_max_agent_count'),
    },
    recoveryRemovalLimit: value('recovery_agent_removal_limit'),
    offerTimeoutMs: value('offer_timeout'),
    roleWhitelist,
    weights: value('weights'),
    // Every host, as it was written before Mesos 0.23.
    whitelist: whitelist === '*' ? undefined : whitelist,
    domain: value('domain'),
    requiresAgentDomain: value('require_agent_domain'),
    hidesFrameworkMetrics: !value('publish_per_framework_metrics'),
    operatorStreamsMax: value('max_operator_event_stream_subscribers'),
    refusesRoot: !value('root_submissions'),
    allocator: {
      minimums: value('min_allocatable_resources'),
      isGpuFiltered: value('filter_gpu_resources'),
      excludedNames: value('fair_sharing_excluded_resource_names'),
      roleSorter: value('role_sorter'),
      frameworkSorter: value('framework_sorter'),
    },
  };
}
