// Every flag of a Mesos 1.11 agent, so that its command line starts this one: what has an effect, what is taken with a
// reason why it has none, and what is refused because it asks for what is not here.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { idleFlags } from '#mesos/flags/idle-flags.ts';
import { flagTexts, isAgentFlag, readFlags } from './flags.ts';
import { idleReasons } from './other-flags.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-flags-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const keyFile = join(folder, 'key');
const credential = join(folder, 'credential');
writeFileSync(keyFile, 'secret');
writeFileSync(credential, '{"principal":"a","secret":"b"}');
const credentials = join(folder, 'credentials');
writeFileSync(credentials, '{"credentials":[{"principal":"a","secret":"b"}]}');

/** With a value other than the default. */
const EFFECTIVE: Readonly<Record<string, string>> = {
  advertise_ip: '10.0.0.1',
  advertise_port: '5055',
  agent_features: JSON.stringify({
    capabilities: [
      'MULTI_ROLE',
      'HIERARCHICAL_ROLE',
      'RESERVATION_REFINEMENT',
      'RESOURCE_PROVIDER',
      'AGENT_OPERATION_FEEDBACK',
      'AGENT_DRAINING',
      'TASK_RESOURCE_LIMITS',
    ].map((type) => ({ type })),
  }),
  allowed_devices: '{"allowed_devices":[{"device":{"path":"/dev/null"},"access":{"read":true}}]}',
  authenticate_http_executors: 'true',
  authenticate_http_readonly: 'true',
  authenticate_http_readwrite: 'true',
  authentication_backoff_factor: '2secs',
  authentication_timeout_max: '2mins',
  authentication_timeout_min: '6secs',
  bounding_capabilities: '{"capabilities":["CHOWN"]}',
  cgroups_enable_cfs: 'true',
  cgroups_limit_swap: 'true',
  cgroups_net_cls_primary_handle: '0x0012',
  cgroups_net_cls_secondary_handles: '0x0011,0x0012',
  cgroups_root: 'mine',
  check_agent_port_range_only: 'true',
  container_disk_watch_interval: '5secs',
  container_ports_isolated_range: '[31000-32000]',
  container_ports_watch_interval: '5secs',
  credential,
  default_container_dns: '{"mesos":[{"network_mode":"CNI","dns":{"nameservers":["8.8.8.8"]}}]}',
  default_container_info: '{"type":"MESOS"}',
  default_container_shm_size: '16MB',
  default_role: 'r',
  disallow_sharing_agent_ipc_namespace: 'true',
  disallow_sharing_agent_pid_namespace: 'true',
  disk_watch_interval: '5secs',
  docker_registry: 'https://r.example',
  docker_store_dir: '/tmp/store',
  domain: '{"fault_domain":{"region":{"name":"a"},"zone":{"name":"b"}}}',
  effective_capabilities: '{"capabilities":["CHOWN"]}',
  enforce_container_disk_quota: 'true',
  enforce_container_ports: 'true',
  executor_environment_variables: '{"A":"b"}',
  executor_registration_timeout: '5secs',
  executor_reregistration_retry_interval: '500ms',
  executor_reregistration_timeout: '5secs',
  executor_shutdown_grace_period: '6secs',
  external_log_file: '/tmp/log',
  fetcher_cache_size: '1GB',
  fetcher_programs: '{"s3":"/bin/get-s3"}',
  fetcher_stall_timeout: '5secs',
  firewall_rules: '{"disabled_endpoints":{"paths":["/x"]}}',
  frameworks_home: '/tmp',
  http_executor_domain_sockets: 'true',
  domain_socket_location: '/run/s',
  sandbox_directory: '/s',
  http_heartbeat_interval: '5secs',
  gc_non_executor_container_sandboxes: 'true',
  gc_delay: '2weeks',
  gc_disk_headroom: '0.2',
  hadoop_home: '/h',
  host_path_volume_force_creation: 'true',
  http_authenticators: 'basic',
  http_credentials: credentials,
  image_gc_config:
    '{"image_disk_headroom":0.2,"image_disk_watch_interval":{"nanoseconds":1000000000}}',
  image_providers: 'docker',
  image_provisioner_backend: 'copy',
  isolation: 'posix/cpu',
  jwt_secret_key: keyFile,
  max_completed_executors_per_framework: '5',
  network_cni_config_dir: '/etc/cni',
  network_cni_plugins_dir: '/opt/cni',
  oversubscribed_resources_interval: '5secs',
  perf_duration: '5secs',
  perf_events: 'task-clock',
  perf_interval: '2mins',
  qos_correction_interval_min: '5secs',
  reconfiguration_policy: 'additive',
  recover: 'cleanup',
  recovery_timeout: '5mins',
  registration_backoff_factor: '2secs',
  resource_provider_config_dir: '/tmp',
  csi_plugin_config_dir: '/tmp',
  revocable_cpu_low_priority: 'false',
  seccomp_config_dir: '/tmp',
  seccomp_profile_name: 'p',
  strict: 'false',
  switch_user: 'false',
  volume_gid_range: '[10000-20000]',
  xfs_kill_containers: 'true',
  xfs_project_range: '[1-10]',
  xfs_quota_headroom: '1MB',
};

/** They change nothing here; idleReasons says why. */
const IDLE: Readonly<Record<string, string>> = {
  agent_subsystems: 'memory',
  appc_simple_discovery_uri_prefix: 'https://',
  appc_store_dir: '/tmp',
  cgroups_cpu_enable_pids_and_tids_count: 'true',
  cgroups_destroy_timeout: '2mins',
  cgroups_hierarchy: '/cgroup',
  docker: 'docker',
  docker_ignore_runtime: 'true',
  docker_kill_orphans: 'false',
  docker_mesos_image: 'm',
  docker_remove_delay: '1hrs',
  docker_socket: '/s',
  docker_stop_timeout: '1secs',
  docker_volume_checkpoint_dir: '/v',
  docker_volume_chown: 'true',
  fetcher_cache_dir: '/c',
  hostname_lookup: 'false',
  http_command_executor: 'true',
  initialize_driver_logging: 'false',
  ip6_discovery_command: 'true',
  launcher: 'posix',
  launcher_dir: '/l',
  logbufsecs: '1',
  network_cni_metrics: 'false',
  network_cni_root_dir_persist: 'true',
  nvidia_gpu_devices: '0',
  runtime_dir: '/r',
  systemd_enable_support: 'false',
  systemd_runtime_directory: '/s',
  zk_session_timeout: '5secs',
};

const REFUSED: Readonly<Record<string, string>> = {
  container_logger: 'org_example_Logger',
  disk_profile_adaptor: 'org_example_Adaptor',
  hooks: 'org_example_Hook',
  master_detector: 'org_example_Detector',
  memory_profiling: 'true',
  modules_dir: '/modules',
  resource_estimator: 'org_example_Estimator',
  secret_resolver: 'org_example_Resolver',
};

/** The program itself reads these: program-options.test.ts, mesos-start.test.ts. */
const PROGRAM = [
  'attributes',
  'hostname',
  'ip',
  'ip_discovery_command',
  'master',
  'port',
  'resources',
  'work_dir',
];

const holds = (flags: object): string =>
  JSON.stringify(flags, (_, value: unknown) =>
    value instanceof Set || value instanceof Map ? [...value] : value,
  );
const DEFAULTS = holds(readFlags({}));

for (const [name, text] of Object.entries(EFFECTIVE)) {
  test(`--${name} changes something`, () => {
    assert.notEqual(holds(readFlags({ [name]: text })), DEFAULTS);
    assert.deepEqual(idleFlags({ [name]: text }, idleReasons), []);
    assert.equal(flagTexts({ [name]: text })[name] === undefined, false);
  });
}

for (const [name, text] of Object.entries(IDLE)) {
  test(`--${name} is taken and changes nothing, which is said`, () => {
    assert.equal(holds(readFlags({ [name]: text })), DEFAULTS);
    assert.equal(idleFlags({ [name]: text }, idleReasons).length, 1);
  });
}

for (const [name, text] of Object.entries(REFUSED)) {
  test(`--${name}=${text} ends the start`, () => {
    assert.throws(
      () => readFlags({ [name]: text }),
      (error) => faultCode(error) === 'bad-flag',
    );
  });
}

test('features that every agent has cannot be taken away; others may', () => {
  const all = readFlags({}).features.map(({ type }) => type);
  const without = readFlags({ agent_features: EFFECTIVE['agent_features'] ?? '' }).features;
  assert.deepEqual(
    without.map(({ type }) => type),
    all.filter((type) => type !== 'RESIZE_VOLUME'),
  );
  for (const text of [
    '{"capabilities":[{"type":"MULTI_ROLE"}]}',
    '{}',
    '[]',
    '{"capabilities":[{}]}',
  ]) {
    assert.throws(() => readFlags({ agent_features: text }), /At least|no list|no feature/);
  }
});

test('those whose effect is inside of what they make are taken', () => {
  const acls =
    '{"permissive":false,"view_flags":[{"principals":{"type":"ANY"},"flags":{"type":"NONE"}}]}';
  assert.equal(readFlags({ acls }).authorizer.of(undefined).may('VIEW_FLAGS'), false);
  const docker_config = '{"auths":{"r.example":{"auth":"dTpw"}}}';
  assert.ok(readFlags({ docker_config }).dockerConfig.loginFor('r.example') !== undefined);
  assert.notEqual(
    readFlags({ qos_controller: 'strata_SlackQoSController' }).qosController,
    readFlags({}).qosController,
  );
});

test('no flag of a program’s own is one of these', () => {
  assert.deepEqual(PROGRAM.filter(isAgentFlag), []);
});
