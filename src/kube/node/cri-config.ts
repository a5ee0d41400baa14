// What a container runtime is asked to make for a pod and its containers. Pure.
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { podIdentity } from './pod-spec.ts';
import type { Container, Pod } from './pod-spec.ts';
import { numberOf } from '#kube/meta/quantity-number.ts';
import type { ContainerPlace, PodPlace, StartRequest } from './runtime.ts';
import type { CriMessage } from '#kube/cri/cri-client.ts';

const namespaceModes = { pod: 0, container: 1, node: 2, target: 3 } as const;
const protocols: Readonly<Record<string, number>> = { TCP: 0, UDP: 1, SCTP: 2 };
const cpuPeriodUs = 100_000;

/** Labels by which a successor of the executor finds what is its own. */
export function podLabels(pod: Pod): Record<string, string> {
  const { namespace, name, uid } = podIdentity(pod);
  return {
    ...pod.metadata.labels,
    'io.kubernetes.pod.name': name,
    'io.kubernetes.pod.namespace': namespace,
    'io.kubernetes.pod.uid': uid,
  };
}

export function containerLabels(place: ContainerPlace): Record<string, string> {
  return { ...podLabels(place.pod), 'io.kubernetes.container.name': place.container.name };
}

/** Relative to the pod's log folder. */
export function criLogPath({ container, attempt }: ContainerPlace): string {
  return join(container.name, `${attempt}.log`);
}

export function logFolder({ folder }: PodPlace): string {
  return join(folder, 'containers');
}

interface SecurityContext {
  readonly privileged?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly seccompProfile?: { readonly type?: string; readonly localhostProfile?: string };
  readonly procMount?: string;
  readonly capabilities?: { readonly add?: string[]; readonly drop?: string[] };
}

function namespaceOptions(pod: Pod): CriMessage {
  const { hostNetwork, hostPID } = pod.spec;
  const spec = pod.spec as { readonly hostIPC?: boolean; readonly shareProcessNamespace?: boolean };
  let pid: number = namespaceModes.container;
  if (spec.shareProcessNamespace === true) pid = namespaceModes.pod;
  if (hostPID === true) pid = namespaceModes.node;
  return {
    network: hostNetwork === true ? namespaceModes.node : namespaceModes.pod,
    pid,
    ipc: spec.hostIPC === true ? namespaceModes.node : namespaceModes.pod,
  };
}

/** What the kernel shows of the machine, and what of it cannot be written, as the kubelet asks it. */
const maskedPaths = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
] as const;
const readonlyPaths = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
] as const;

const seccompTypes: Readonly<Record<string, number>> = {
  RuntimeDefault: 0,
  Unconfined: 1,
  Localhost: 2,
};

function seccompOf(profile: SecurityContext['seccompProfile']): CriMessage {
  const { type = 'Unconfined', localhostProfile = '' } = profile ?? {};
  const isLocal = type === 'Localhost';
  return {
    profile_type: seccompTypes[type] ?? 1,
    localhost_ref: isLocal ? `/var/lib/kubelet/seccomp/${localhostProfile}` : '',
  };
}

export function sandboxConfig(place: PodPlace, attempt: number): CriMessage {
  const { pod } = place;
  const { namespace, name, uid } = podIdentity(pod);
  const ports = pod.spec.containers.flatMap(({ ports: list }) => list ?? []);
  const isPrivileged = pod.spec.containers.some(
    ({ securityContext }) => (securityContext as SecurityContext | undefined)?.privileged === true,
  );
  const security = pod.spec.securityContext as PodSecurity | undefined;
  return {
    metadata: { name, uid, namespace, attempt },
    hostname: pod.spec.hostNetwork === true ? '' : (pod.spec.hostname ?? name).slice(0, 63),
    log_directory: logFolder(place),
    port_mappings: ports
      .filter(({ hostPort }) => hostPort !== undefined && hostPort > 0)
      .map(({ containerPort, hostPort, hostIP, protocol }) => ({
        protocol: protocols[protocol ?? 'TCP'] ?? 0,
        container_port: containerPort,
        host_port: hostPort,
        host_ip: hostIP ?? '',
      })),
    labels: podLabels(pod),
    annotations: pod.metadata.annotations ?? {},
    linux: {
      sysctls: Object.fromEntries(
        (security?.sysctls ?? []).map((each) => [each.name, each.value] as const),
      ),
      security_context: {
        namespace_options: namespaceOptions(pod),
        privileged: isPrivileged,
        seccomp: { profile_type: 0 },
        ...userOf(security),
      },
    },
  };
}

interface PodSecurity extends SecurityContext {
  readonly fsGroup?: number;
  readonly supplementalGroups?: readonly number[];
  readonly sysctls?: readonly { readonly name: string; readonly value: string }[];
}

function userOf({ runAsUser, runAsGroup }: SecurityContext = {}): CriMessage {
  return {
    ...(runAsUser === undefined ? {} : { run_as_user: { value: runAsUser } }),
    ...(runAsGroup === undefined || runAsUser === undefined
      ? {}
      : { run_as_group: { value: runAsGroup } }),
  };
}

/** By class of service, as the kubelet computes it: who has the least claim is killed first. */
export function oomScore(pod: Pod, container: Container, machineBytes: number): number {
  const qos = pod.status?.['qosClass'];
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  const { requests, limits } = container.resources ?? {};
  const memory = requests?.['memory'] ?? limits?.['memory'];
  const bytes = memory === undefined ? 0 : numberOf(memory);
  const score = Math.floor(1000 - (1000 * bytes) / machineBytes);
  return Math.min(999, Math.max(3, score));
}

function linuxConfig({ pod, container, targetId }: StartRequest): CriMessage {
  const { limits, requests } = container.resources ?? {};
  const cpuLimit = limits?.['cpu'];
  const cpu = requests?.['cpu'] ?? cpuLimit;
  const memory = limits?.['memory'];
  const security: SecurityContext = {
    ...(pod.spec.securityContext as SecurityContext | undefined),
    ...(container.securityContext as SecurityContext | undefined),
  };
  const { capabilities } = security;
  const podSecurity = pod.spec.securityContext as PodSecurity | undefined;
  const { fsGroup, supplementalGroups = [] } = podSecurity ?? {};
  const groups = [...supplementalGroups, ...(fsGroup === undefined ? [] : [fsGroup])];
  const isPrivileged = security.privileged === true;
  const isOpen = isPrivileged || security.procMount === 'Unmasked';
  const shares = cpu === undefined ? 2 : Math.max(2, Math.round(numberOf(cpu) * 1024));
  return {
    resources: {
      cpu_shares: shares,
      oom_score_adj: oomScore(pod, container, totalmem()),
      ...(cpuLimit === undefined
        ? {}
        : {
            cpu_period: cpuPeriodUs,
            cpu_quota: Math.max(1000, Math.round(numberOf(cpuLimit) * cpuPeriodUs)),
          }),
      ...(memory === undefined ? {} : { memory_limit_in_bytes: numberOf(memory) }),
    },
    security_context: {
      namespace_options: {
        ...namespaceOptions(pod),
        ...(targetId === undefined ? {} : { pid: namespaceModes.target, target_id: targetId }),
      },
      privileged: isPrivileged,
      readonly_rootfs: security.readOnlyRootFilesystem === true,
      no_new_privs: security.allowPrivilegeEscalation === false,
      masked_paths: isOpen ? [] : maskedPaths,
      readonly_paths: isOpen ? [] : readonlyPaths,
      seccomp: isPrivileged ? { profile_type: 1 } : seccompOf(security.seccompProfile),
      ...userOf(security),
      ...(groups.length === 0 ? {} : { supplemental_groups: groups }),
      ...(capabilities === undefined
        ? {}
        : {
            capabilities: {
              add_capabilities: capabilities.add ?? [],
              drop_capabilities: capabilities.drop ?? [],
            },
          }),
    },
  };
}

export function containerConfig(
  request: StartRequest,
  imageRef: string,
  extraMounts: readonly CriMessage[],
): CriMessage {
  const { container } = request;
  return {
    metadata: { name: container.name, attempt: request.attempt },
    image: { image: imageRef, user_specified_image: container.image ?? '' },
    command: request.command,
    args: request.args,
    working_dir: container.workingDir ?? '',
    envs: Object.entries(request.env).map(([key, value]) => ({ key, value })),
    mounts: [
      ...request.mounts.map(({ source, target, readOnly }) => ({
        container_path: target,
        host_path: source,
        readonly: readOnly,
      })),
      ...extraMounts,
    ],
    labels: containerLabels(request),
    annotations: { 'io.kubernetes.container.restartCount': String(request.attempt) },
    log_path: criLogPath(request),
    stdin: container.stdin === true,
    stdin_once: container.stdinOnce === true,
    tty: container.tty === true,
    linux: linuxConfig(request),
  };
}

/** `nginx` becomes `docker.io/library/nginx:latest`, as the kubelet and its runtimes read it. */
export function fullImageName(image: string): string {
  const [first = '', ...rest] = image.split('/');
  const hasHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const named = hasHost ? image : `docker.io/${rest.length > 0 ? image : `library/${image}`}`;
  const last = named.slice(named.lastIndexOf('/') + 1);
  return last.includes(':') || named.includes('@') ? named : `${named}:latest`;
}
