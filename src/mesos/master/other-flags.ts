// Those of the master's flags that Mesos has and that have nothing to set here: some are taken, with a
// warning that says why they change nothing; some are refused, with what to give instead.
import { Fault } from '#base/fault.ts';
import {
  bool,
  count,
  durationMs,
  flag,
  oneOf,
  optional,
  type FlagKind,
} from '#mesos/flags/flag-table.ts';
import { LOGGING, noModule, off } from '#mesos/flags/idle-flags.ts';

const registry = 'the registry is in a store (--store), not in a replicated log';
const failover = 'after a failover the allocator goes on at once, without waiting for agents';

/** An option of `strata master`, not a flag. */
function option(name: string): FlagKind<string> {
  return flag('', (text) => {
    if (text !== '') throw new Error(`give it as the option --${name}`);
    return text;
  });
}

function factor(text: string): number {
  const value = Number(text);
  if (text === '' || Number.isNaN(value)) throw new Error(`"${text}" is no number`);
  return value;
}

const optionKinds = {
  zk: option('zk'),
  ip: option('host'),
  port: option('port'),
  hostname: option('hostname'),
  work_dir: option('home'),
} as const;

/** In the environment they are for others. */
export function isOption(name: string): boolean {
  return Object.hasOwn(optionKinds, name);
}

export const otherKinds = {
  quorum: flag('1', count),
  log_auto_initialize: flag('true', bool),
  registry: flag('replicated_log', oneOf('replicated_log', 'in_memory', 'log_storage', 'strata')),
  registry_fetch_timeout: flag('1mins', durationMs),
  registry_store_timeout: flag('20secs', durationMs),
  registry_strict: flag('false', (text) => {
    if (!bool(text)) return false;
    const message = "Support for '--registry_strict' has been disabled";
    throw new Error(`${message} and will be removed in a future version of Mesos`);
  }),
  zk_session_timeout: flag('10secs', durationMs),
  allocation_interval: flag('1secs', durationMs),
  allocator: flag('hierarchical', oneOf('hierarchical', 'HierarchicalDRF')),
  allocator_agent_recovery_factor: flag('0.8', factor),
  allocator_recovery_timeout: flag('10mins', durationMs),
  offer_constraints_re2_max_mem: flag('4KB', String),
  offer_constraints_re2_max_program_size: flag('100', count),
  quiet: flag('false', bool),
  logging_level: flag('INFO', oneOf('INFO', 'WARNING', 'ERROR')),
  log_dir: flag('', optional),
  logbufsecs: flag('0', count),
  initialize_driver_logging: flag('true', bool),
  hostname_lookup: flag('true', bool),
  memory_profiling: flag('false', off('memory_profiling')),
  master_contender: flag('', noModule),
  master_detector: flag('', noModule),
  ...optionKinds,
} as const;

/** Why each of them changes nothing; of those that are refused unless they are at their default: none. */
export const idleReasons: Partial<Record<keyof typeof otherKinds, string>> = {
  quorum: registry,
  log_auto_initialize: registry,
  registry,
  registry_fetch_timeout: registry,
  registry_store_timeout: registry,
  zk_session_timeout: 'sessions with ZooKeeper last 10 s',
  allocation_interval: 'allocation follows each change; there is no interval',
  allocator_agent_recovery_factor: failover,
  allocator_recovery_timeout: failover,
  offer_constraints_re2_max_mem: 'the limits are those of the default, 4KB and 100',
  offer_constraints_re2_max_program_size: 'the limits are those of the default, 4KB and 100',
  logbufsecs: LOGGING,
  initialize_driver_logging: LOGGING,
  hostname_lookup: '--hostname says it, or the machine does',
};

/** Names of before Mesos 1.0, and what they are called since. */
const renamed: Readonly<Record<string, string>> = {
  slave_reregister_timeout: 'agent_reregister_timeout',
  recovery_slave_removal_limit: 'recovery_agent_removal_limit',
  slave_removal_rate_limit: 'agent_removal_rate_limit',
  slave_ping_timeout: 'agent_ping_timeout',
  max_slave_ping_timeouts: 'max_agent_ping_timeouts',
  user_sorter: 'role_sorter',
  authenticate: 'authenticate_frameworks',
  authenticate_slaves: 'authenticate_agents',
  authenticate_http: 'authenticate_http_readwrite',
};

export function isOldName(name: string): boolean {
  return Object.hasOwn(renamed, name);
}

/** Under today's names; fault `bad-flag` when one is given by both. `onOld` hears of each old name. */
export function withNewNames(
  given: Readonly<Record<string, string>>,
  onOld: (old: string, name: string) => void = () => {},
): Record<string, string> {
  const entries = Object.entries(given).map(([old, value]): [string, string] => {
    const name = isOldName(old) ? (renamed[old] ?? old) : old;
    if (name === old) return [name, value];
    if (Object.hasOwn(given, name)) {
      const message = `Cannot start: flag "${name}" is also given under its old name "${old}"`;
      throw new Fault({ code: 'bad-flag', name }, message);
    }
    onOld(old, name);
    return [name, value];
  });
  return Object.fromEntries(entries);
}
