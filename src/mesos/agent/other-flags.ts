// Those of the agent's flags that Mesos has and that have nothing to set here: taken with a warning that
// says why they change nothing, so that a command line or an environment of mesos-agent starts this one.
import { bool, count, durationMs, flag, oneOf, optional } from '#mesos/flags/flag-table.ts';
import { LOGGING, noModule, off } from '#mesos/flags/idle-flags.ts';
import { noHooks, noModulesIn } from '#mesos/flags/modules.ts';

const docker =
  'there is no Docker containerizer; images are run by the agent itself, or by containerd';
const launcher = 'the agent starts containers itself, each under a shim of its own';
const systemd = 'tasks outlive the agent without systemd';
const appc = 'no Appc images are run';
const folders = 'everything is below --home (--work_dir)';

export const otherKinds = {
  agent_subsystems: flag('', String),
  appc_simple_discovery_uri_prefix: flag('http://', String),
  appc_store_dir: flag('/tmp/mesos/store/appc', String),
  disk_profile_adaptor: flag('', noModule),
  ip6_discovery_command: flag('', String),
  nvidia_gpu_devices: flag('', String),
  slave_subsystems: flag('', String),
  cgroups_cpu_enable_pids_and_tids_count: flag('false', bool),
  cgroups_destroy_timeout: flag('1mins', durationMs),
  cgroups_hierarchy: flag('/sys/fs/cgroup', String),
  docker: flag('docker', String),
  docker_ignore_runtime: flag('false', bool),
  docker_kill_orphans: flag('true', bool),
  docker_mesos_image: flag('', String),
  docker_remove_delay: flag('6hrs', durationMs),
  docker_socket: flag('/var/run/docker.sock', String),
  docker_stop_timeout: flag('0ns', durationMs),
  docker_volume_checkpoint_dir: flag('/var/run/mesos/isolators/docker/volume', String),
  docker_volume_chown: flag('false', bool),
  fetcher_cache_dir: flag('/tmp/mesos/fetch', String),
  hooks: flag('', noHooks),
  hostname_lookup: flag('true', bool),
  http_command_executor: flag('false', bool),
  initialize_driver_logging: flag('true', bool),
  launcher: flag('linux', oneOf('linux', 'posix')),
  launcher_dir: flag('', String),
  log_dir: flag('', optional),
  logbufsecs: flag('0', count),
  logging_level: flag('INFO', oneOf('INFO', 'WARNING', 'ERROR')),
  master_detector: flag('', noModule),
  memory_profiling: flag('false', off('memory_profiling')),
  modules_dir: flag('', noModulesIn),
  network_cni_metrics: flag('true', bool),
  network_cni_root_dir_persist: flag('false', bool),
  quiet: flag('false', bool),
  runtime_dir: flag('', String),
  secret_resolver: flag('', noModule),
  systemd_enable_support: flag('true', bool),
  systemd_runtime_directory: flag('/run/systemd/system', String),
  zk_session_timeout: flag('10secs', durationMs),
} as const;

/** Why each of them changes nothing; of those that are refused unless they are at their default: none. */
export const idleReasons: Partial<Record<keyof typeof otherKinds, string>> = {
  agent_subsystems: 'the agent itself is in no cgroup of its own',
  appc_simple_discovery_uri_prefix: appc,
  appc_store_dir: appc,
  ip6_discovery_command: 'containers are told the address of version 4',
  nvidia_gpu_devices: 'GPUs are those of --gpu_devices',
  slave_subsystems: 'the agent itself is in no cgroup of its own',
  cgroups_cpu_enable_pids_and_tids_count: 'processes are counted wherever there are cgroups',
  cgroups_destroy_timeout: 'cgroups are removed when their last process has gone',
  cgroups_hierarchy: 'cgroups are found where the kernel has them mounted',
  docker,
  docker_ignore_runtime: docker,
  docker_kill_orphans: docker,
  docker_mesos_image: docker,
  docker_remove_delay: docker,
  docker_socket: docker,
  docker_stop_timeout: docker,
  docker_volume_checkpoint_dir: docker,
  docker_volume_chown: docker,
  fetcher_cache_dir: folders,
  hostname_lookup: '--hostname says it, or the machine does',
  http_command_executor: 'commands are run by the agent itself',
  initialize_driver_logging: LOGGING,
  launcher,
  launcher_dir: launcher,
  logbufsecs: LOGGING,
  network_cni_metrics: 'there are none',
  network_cni_root_dir_persist: 'what a network has given is kept until its container has gone',
  runtime_dir: folders,
  systemd_enable_support: systemd,
  systemd_runtime_directory: systemd,
  zk_session_timeout: 'sessions with ZooKeeper last 10 s',
};
