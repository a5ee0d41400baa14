// The part of CRI v1 (package runtime.v1) that the node uses, as a table: field names, types and
// tags are facts of the interface. Unknown fields are skipped on reading, as protobuf does.

/** `name: 'type tag'`; `type[]` is repeated, `map` is map<string, string>. */
const messages: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  VersionRequest: { version: 'string 1' },
  VersionResponse: {
    version: 'string 1',
    runtime_name: 'string 2',
    runtime_version: 'string 3',
    runtime_api_version: 'string 4',
  },
  DNSConfig: { servers: 'string[] 1', searches: 'string[] 2', options: 'string[] 3' },
  PortMapping: {
    protocol: 'int32 1',
    container_port: 'int32 2',
    host_port: 'int32 3',
    host_ip: 'string 4',
  },
  Mount: { container_path: 'string 1', host_path: 'string 2', readonly: 'bool 3' },
  NamespaceOption: { network: 'int32 1', pid: 'int32 2', ipc: 'int32 3', target_id: 'string 4' },
  Int64Value: { value: 'int64 1' },
  UInt64Value: { value: 'uint64 1' },
  SecurityProfile: { profile_type: 'int32 1', localhost_ref: 'string 2' },
  LinuxSandboxSecurityContext: {
    namespace_options: 'NamespaceOption 1',
    run_as_user: 'Int64Value 3',
    supplemental_groups: 'int64[] 5',
    privileged: 'bool 6',
    run_as_group: 'Int64Value 8',
    seccomp: 'SecurityProfile 9',
  },
  LinuxPodSandboxConfig: {
    cgroup_parent: 'string 1',
    security_context: 'LinuxSandboxSecurityContext 2',
    sysctls: 'map 3',
  },
  StatusRequest: { verbose: 'bool 1' },
  RuntimeCondition: {
    type: 'string 1',
    status: 'bool 2',
    reason: 'string 3',
    message: 'string 4',
  },
  RuntimeStatus: { conditions: 'RuntimeCondition[] 1' },
  StatusResponse: { status: 'RuntimeStatus 1', info: 'map 2' },
  PodSandboxMetadata: {
    name: 'string 1',
    uid: 'string 2',
    namespace: 'string 3',
    attempt: 'uint32 4',
  },
  PodSandboxConfig: {
    metadata: 'PodSandboxMetadata 1',
    hostname: 'string 2',
    log_directory: 'string 3',
    dns_config: 'DNSConfig 4',
    port_mappings: 'PortMapping[] 5',
    labels: 'map 6',
    annotations: 'map 7',
    linux: 'LinuxPodSandboxConfig 8',
  },
  RunPodSandboxRequest: { config: 'PodSandboxConfig 1', runtime_handler: 'string 2' },
  RunPodSandboxResponse: { pod_sandbox_id: 'string 1' },
  StopPodSandboxRequest: { pod_sandbox_id: 'string 1' },
  StopPodSandboxResponse: {},
  RemovePodSandboxRequest: { pod_sandbox_id: 'string 1' },
  RemovePodSandboxResponse: {},
  PodIP: { ip: 'string 1' },
  PodSandboxNetworkStatus: { ip: 'string 1', additional_ips: 'PodIP[] 2' },
  PodSandboxStatusRequest: { pod_sandbox_id: 'string 1' },
  PodSandboxStatus: { id: 'string 1', state: 'int32 3', network: 'PodSandboxNetworkStatus 5' },
  PodSandboxStatusResponse: { status: 'PodSandboxStatus 1' },
  PodSandboxFilter: { id: 'string 1', label_selector: 'map 3' },
  ListPodSandboxRequest: { filter: 'PodSandboxFilter 1' },
  PodSandbox: { id: 'string 1', metadata: 'PodSandboxMetadata 2', state: 'int32 3' },
  ListPodSandboxResponse: { items: 'PodSandbox[] 1' },
  ImageSpec: {
    image: 'string 1',
    annotations: 'map 2',
    user_specified_image: 'string 18',
    runtime_handler: 'string 19',
  },
  KeyValue: { key: 'string 1', value: 'string 2' },
  LinuxContainerResources: {
    cpu_period: 'int64 1',
    cpu_quota: 'int64 2',
    cpu_shares: 'int64 3',
    memory_limit_in_bytes: 'int64 4',
    oom_score_adj: 'int64 5',
  },
  Capability: { add_capabilities: 'string[] 1', drop_capabilities: 'string[] 2' },
  LinuxContainerSecurityContext: {
    capabilities: 'Capability 1',
    privileged: 'bool 2',
    namespace_options: 'NamespaceOption 3',
    run_as_user: 'Int64Value 5',
    run_as_group: 'Int64Value 12',
    readonly_rootfs: 'bool 7',
    supplemental_groups: 'int64[] 8',
    no_new_privs: 'bool 11',
    masked_paths: 'string[] 13',
    readonly_paths: 'string[] 14',
    seccomp: 'SecurityProfile 15',
  },
  LinuxContainerConfig: {
    resources: 'LinuxContainerResources 1',
    security_context: 'LinuxContainerSecurityContext 2',
  },
  ContainerMetadata: { name: 'string 1', attempt: 'uint32 2' },
  ContainerConfig: {
    metadata: 'ContainerMetadata 1',
    image: 'ImageSpec 2',
    command: 'string[] 3',
    args: 'string[] 4',
    working_dir: 'string 5',
    envs: 'KeyValue[] 6',
    mounts: 'Mount[] 7',
    labels: 'map 9',
    annotations: 'map 10',
    log_path: 'string 11',
    stdin: 'bool 12',
    stdin_once: 'bool 13',
    tty: 'bool 14',
    linux: 'LinuxContainerConfig 15',
  },
  CreateContainerRequest: {
    pod_sandbox_id: 'string 1',
    config: 'ContainerConfig 2',
    sandbox_config: 'PodSandboxConfig 3',
  },
  CreateContainerResponse: { container_id: 'string 1' },
  StartContainerRequest: { container_id: 'string 1' },
  StartContainerResponse: {},
  StopContainerRequest: { container_id: 'string 1', timeout: 'int64 2' },
  StopContainerResponse: {},
  RemoveContainerRequest: { container_id: 'string 1' },
  RemoveContainerResponse: {},
  ContainerStateValue: { state: 'int32 1' },
  ContainerFilter: {
    id: 'string 1',
    state: 'ContainerStateValue 2',
    pod_sandbox_id: 'string 3',
    label_selector: 'map 4',
  },
  ListContainersRequest: { filter: 'ContainerFilter 1' },
  Container: { id: 'string 1', metadata: 'ContainerMetadata 3', state: 'int32 6' },
  ListContainersResponse: { containers: 'Container[] 1' },
  ContainerStatusRequest: { container_id: 'string 1' },
  ContainerStatus: {
    id: 'string 1',
    state: 'int32 3',
    started_at: 'int64 5',
    finished_at: 'int64 6',
    exit_code: 'int32 7',
    image_ref: 'string 9',
    reason: 'string 10',
    message: 'string 11',
    image_id: 'string 17',
  },
  ContainerStatusResponse: { status: 'ContainerStatus 1' },
  ExecRequest: {
    container_id: 'string 1',
    cmd: 'string[] 2',
    tty: 'bool 3',
    stdin: 'bool 4',
    stdout: 'bool 5',
    stderr: 'bool 6',
  },
  ExecResponse: { url: 'string 1' },
  AttachRequest: {
    container_id: 'string 1',
    stdin: 'bool 2',
    tty: 'bool 3',
    stdout: 'bool 4',
    stderr: 'bool 5',
  },
  AttachResponse: { url: 'string 1' },
  Image: { id: 'string 1', repo_digests: 'string[] 3', size: 'uint64 4' },
  ImageStatusRequest: { image: 'ImageSpec 1' },
  ImageStatusResponse: { image: 'Image 1' },
  AuthConfig: {
    username: 'string 1',
    password: 'string 2',
    auth: 'string 3',
    server_address: 'string 4',
    identity_token: 'string 5',
    registry_token: 'string 6',
  },
  PullImageRequest: {
    image: 'ImageSpec 1',
    auth: 'AuthConfig 2',
    sandbox_config: 'PodSandboxConfig 3',
  },
  PullImageResponse: { image_ref: 'string 1' },
  CpuUsage: { timestamp: 'int64 1', usage_core_nano_seconds: 'UInt64Value 2' },
  MemoryUsage: { timestamp: 'int64 1', working_set_bytes: 'UInt64Value 2' },
  ContainerStats: { cpu: 'CpuUsage 2', memory: 'MemoryUsage 3' },
  ReopenContainerLogRequest: { container_id: 'string 1' },
  ReopenContainerLogResponse: {},
  ContainerStatsRequest: { container_id: 'string 1' },
  ContainerStatsResponse: { stats: 'ContainerStats 1' },
  GetEventsRequest: {},
  ContainerEventResponse: { container_id: 'string 1', container_event_type: 'int32 2' },
};

const unary = {
  RuntimeService: [
    'Version',
    'RunPodSandbox',
    'StopPodSandbox',
    'RemovePodSandbox',
    'PodSandboxStatus',
    'ListPodSandbox',
    'CreateContainer',
    'StartContainer',
    'StopContainer',
    'RemoveContainer',
    'ListContainers',
    'ContainerStatus',
    'Exec',
    'Attach',
    'ContainerStats',
    'ReopenContainerLog',
    'Status',
  ],
  ImageService: ['ImageStatus', 'PullImage'],
} as const;

export type ImageMethod = (typeof unary.ImageService)[number];
export type RuntimeMethod = (typeof unary.RuntimeService)[number];

function fieldOf(text: string): Record<string, unknown> {
  const [type = '', id = ''] = text.split(' ');
  if (type === 'map') return { keyType: 'string', type: 'string', id: Number(id) };
  if (type.endsWith('[]')) return { rule: 'repeated', type: type.slice(0, -2), id: Number(id) };
  return { type, id: Number(id) };
}

function methodsOf(names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    names.map((name) => [name, { requestType: `${name}Request`, responseType: `${name}Response` }]),
  );
}

/** The JSON descriptor that protobufjs and proto-loader read. */
export function criDescriptor(): Record<string, unknown> {
  const types = Object.entries(messages).map(([name, fields]) => {
    const made = Object.entries(fields).map(([field, text]) => [field, fieldOf(text)]);
    return [name, { fields: Object.fromEntries(made) as unknown }];
  });
  const events = {
    requestType: 'GetEventsRequest',
    responseType: 'ContainerEventResponse',
    responseStream: true,
  };
  const services = {
    RuntimeService: {
      methods: { ...methodsOf(unary.RuntimeService), GetContainerEvents: events },
    },
    ImageService: { methods: methodsOf(unary.ImageService) },
  };
  const v1 = { nested: { ...(Object.fromEntries(types) as object), ...services } };
  return { nested: { runtime: { nested: { v1 } } } };
}
