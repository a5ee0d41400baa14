// Every flag of mesos-master 1.11 (src/master/flags.cpp, src/logging/flags.cpp, `--help` of the real one), and what
// becomes of it here: it has its effect, is taken with a warning, is an option of ours, or is refused by name.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { createEnv } from '#env/node/env.ts';
import { withMesosOptions } from '#mesos/flags/program-options.ts';
import type { Env } from '#env/env.ts';
import { isMasterFlag, readMasterFlags } from './given-flags.ts';
import { masterFlagDefaults } from './flags.ts';

/** A value other than the default that a Mesos user may give; where none has an effect, one that is refused. */
const effects: Readonly<Record<string, string>> = {
  root_submissions: 'false',
  agent_reregister_timeout: '20mins',
  recovery_agent_removal_limit: '50%',
  agent_removal_rate_limit: '1/10mins',
  webui_dir: '/nowhere',
  whitelist: '/nowhere/hosts',
  role_sorter: 'random',
  framework_sorter: 'random',
  cluster: 'a cluster',
  roles: 'a,b',
  weights: 'a=2',
  authenticate_frameworks: 'true',
  authenticate_agents: 'true',
  authentication_v0_timeout: '5secs',
  acls: '{}',
  firewall_rules: '{"disabled_endpoints":{"paths":["/state"]}}',
  rate_limits: '{"limits":[]}',
  offer_timeout: '1mins',
  fair_sharing_excluded_resource_names: 'gpus',
  filter_gpu_resources: 'false',
  min_allocatable_resources: 'cpus:1',
  agent_ping_timeout: '5secs',
  max_agent_ping_timeouts: '3',
  max_operator_event_stream_subscribers: '10',
  max_completed_frameworks: '1',
  max_completed_tasks_per_framework: '1',
  max_unreachable_tasks_per_framework: '1',
  registry_gc_interval: '1mins',
  registry_max_agent_age: '1days',
  registry_max_agent_count: '10',
  advertise_ip: '192.0.2.1',
  advertise_port: '5051',
  require_agent_domain: 'true',
  publish_per_framework_metrics: 'false',
  domain: '{"fault_domain":{"region":{"name":"a"},"zone":{"name":"b"}}}',
  quiet: 'true',
  logging_level: 'WARNING',
  log_dir: '/nowhere/logs',
  external_log_file: '/nowhere/log',
};

/** Their only value that is not refused is Mesos' own; the second one is what is refused. */
const fixed: Readonly<Record<string, readonly [string, string]>> = {
  authenticators: ['crammd5', 'mine'],
  authorizers: ['local', 'mine'],
  allocator: ['hierarchical', 'mine'],
  memory_profiling: ['false', 'true'],
  registry_strict: ['false', 'true'],
  hooks: ['', 'mine'],
  modules: ['{"libraries":[]}', '{"libraries":[{"file":"mine.so"}]}'],
  master_contender: ['', 'mine'],
  master_detector: ['', 'mine'],
};

/** Files and companions are needed: shown by the tests of what they do. */
const inNeed: readonly string[] = [
  'credentials',
  'modules_dir',
  'http_authenticators',
  'http_framework_authenticators',
  'authenticate_http_frameworks',
  'authenticate_http_readwrite',
  'authenticate_http_readonly',
];

const idle: Readonly<Record<string, string>> = {
  hostname_lookup: 'false',
  registry: 'in_memory',
  quorum: '2',
  zk_session_timeout: '20secs',
  registry_fetch_timeout: '2mins',
  registry_store_timeout: '30secs',
  log_auto_initialize: 'false',
  allocation_interval: '5secs',
  allocator_agent_recovery_factor: '0.5',
  allocator_recovery_timeout: '1mins',
  offer_constraints_re2_max_mem: '8KB',
  offer_constraints_re2_max_program_size: '200',
  logbufsecs: '5',
  initialize_driver_logging: 'false',
};

/** Flag -> our option, and a value. */
const options: Readonly<Record<string, readonly [option: string, value: string]>> = {
  hostname: ['hostname', 'h'],
  work_dir: ['home', '/nowhere'],
  ip: ['host', '192.0.2.1'],
  port: ['port', '5051'],
  zk: ['zk', 'zk://h:2181/mesos'],
};

/** Options of every program of ours, and one of the two addresses of which only one may be given. */
const ofTheProgram = ['help', 'version', 'ip_discovery_command'];

/** Unknown to a Mesos built without what it belongs to, and here. */
const unknown = ['max_executors_per_agent'];

/** In the order of Mesos' files. */
const ALL =
  `version hostname hostname_lookup root_submissions work_dir registry quorum zk_session_timeout
registry_strict registry_fetch_timeout registry_store_timeout log_auto_initialize agent_reregister_timeout
recovery_agent_removal_limit agent_removal_rate_limit webui_dir whitelist role_sorter framework_sorter
allocation_interval cluster roles weights authenticate_frameworks authenticate_agents authentication_v0_timeout
authenticate_http_readwrite authenticate_http_readonly authenticate_http_frameworks credentials acls firewall_rules
rate_limits max_executors_per_agent offer_timeout modules modules_dir authenticators allocator
allocator_agent_recovery_factor allocator_recovery_timeout fair_sharing_excluded_resource_names filter_gpu_resources
min_allocatable_resources hooks agent_ping_timeout max_agent_ping_timeouts authorizers http_authenticators
http_framework_authenticators max_operator_event_stream_subscribers max_completed_frameworks
max_completed_tasks_per_framework max_unreachable_tasks_per_framework master_contender master_detector
registry_gc_interval registry_max_agent_age registry_max_agent_count ip port advertise_ip advertise_port
memory_profiling zk ip_discovery_command require_agent_domain publish_per_framework_metrics domain
offer_constraints_re2_max_mem offer_constraints_re2_max_program_size quiet logging_level log_dir logbufsecs
initialize_driver_logging external_log_file help`.split(/\s+/);

const root = join(import.meta.dirname, '../../..');
const page = (name: string): string => readFileSync(join(root, 'docs/operating', name), 'utf8');
const compatibility = page('compatibility.md');
const inventory = page('mesos-inventory.md');

/** What is said while one flag is read. */
function saidOf(name: string, value: string): readonly string[] {
  const said: string[] = [];
  const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
  const log: Env['log'] = {
    ...env.log,
    warn: (message, fields = {}) => void said.push(`${message} ${JSON.stringify(fields)}`),
  };
  readMasterFlags({ [name]: value }, { ...env, log });
  return said;
}

function isRefused(name: string, value: string): void {
  assert.throws(
    () => saidOf(name, value),
    (error) => faultCode(error) === 'bad-flag' && String(error).includes(name),
    `${name}=${value}`,
  );
}

test('every flag of mesos-master is in one of the tables, and in no two', () => {
  const tables = [effects, fixed, idle, options].flatMap((table) => Object.keys(table));
  const told = [...tables, ...inNeed, ...ofTheProgram, ...unknown];
  assert.deepEqual(told.toSorted(), ALL.toSorted());
});

test('what has an effect is read without a word', () => {
  for (const [name, value] of Object.entries(effects)) {
    assert.deepEqual(saidOf(name, value), [], name);
    assert.notEqual(masterFlagDefaults[name], value, name);
  }
  for (const name of inNeed) assert.ok(isMasterFlag(name), name);
});

test('what cannot be had is refused by its name, and not at its default', () => {
  for (const [name, [taken, not]] of Object.entries(fixed)) {
    assert.deepEqual(saidOf(name, taken), [], name);
    isRefused(name, not);
  }
  for (const name of unknown) isRefused(name, '1');
  for (const [name, [, value]] of Object.entries(options)) isRefused(name, value);
});

test('what changes nothing is taken with a warning that says why', () => {
  for (const [name, value] of Object.entries(idle)) {
    const [said = '', ...more] = saidOf(name, value);
    assert.deepEqual(more, []);
    assert.match(said, new RegExp(`changes nothing here.*"flag":"${name}","reason":"`), name);
  }
});

test('what is an option here is taken from a command line of Mesos', () => {
  for (const [name, [option, value]] of Object.entries(options)) {
    const given = {
      options: {},
      named: new Set<string>(),
      rest: [`--${name}=${value}`],
      environment: {},
    };
    const sources = { readFile: () => '', shell: () => '192.0.2.9' };
    const { flag, ...taken } = withMesosOptions('master', given, sources);
    assert.deepEqual([String(taken[option]), flag], [value, []], name);
    const found = { ...given, rest: ['--ip_discovery_command=say'] };
    assert.equal(withMesosOptions('master', found, sources)['host'], '192.0.2.9');
  }
});

test('the pages name every one of them; those without effect stand where differences do', () => {
  const code = (name: string): string => `\`${name}\``;
  const missing = ALL.filter(
    (name) => !inventory.includes(code(name)) && !compatibility.includes(`\`--${name}\``),
  );
  assert.deepEqual(missing, []);
  const untold = Object.keys(idle).filter((name) => !compatibility.includes(`\`--${name}\``));
  assert.deepEqual(untold, []);
});
