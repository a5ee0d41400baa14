// The status of a pod as the API shows it, computed from the pod core's state. Pure.
import { present } from '#base/assert.ts';
import type { Container, Pod, PodCondition } from './pod-spec.ts';
import type { ContainerState, ContainerStatus, PodState, PodStatus } from './pod-state.ts';
import type { Terminated } from './pod-state.ts';

export interface NodeAddresses {
  readonly hostIps: readonly string[];
  /** How container ids are prefixed: `process` gives `process://…`. */
  readonly runtimeName?: string | undefined;
}

export function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

export function isAllInitialized(state: PodState): boolean {
  return state.initialized;
}

export function buildStatus(pod: Pod, state: PodState, node: NodeAddresses): PodStatus {
  const runtime = node.runtimeName ?? 'process';
  const statusOf = (container: Container): ContainerStatus => {
    const found = state.containers.find(({ name }) => name === container.name);
    return containerStatus(container, present(found, container.name), { state, runtime });
  };
  const init = (pod.spec.initContainers ?? []).map(statusOf);
  const apps = pod.spec.containers.map(statusOf);
  const ephemeral = (pod.spec.ephemeralContainers ?? []).map(statusOf);
  const phase = phaseOf(state);
  const { hostIps } = node;
  return {
    observedGeneration: pod.metadata.generation,
    phase,
    ...(state.ending?.reason === undefined ? {} : { reason: state.ending.reason }),
    ...(state.ending?.message === undefined ? {} : { message: state.ending.message }),
    conditions: conditionsOf(pod, state, { phase, init, apps }),
    startTime: timeText(state.startedAt),
    ...(hostIps[0] === undefined
      ? {}
      : { hostIP: hostIps[0], hostIPs: hostIps.map((ip) => ({ ip })) }),
    ...(state.ips[0] === undefined
      ? {}
      : { podIP: state.ips[0], podIPs: state.ips.map((ip) => ({ ip })) }),
    ...(init.length === 0 ? {} : { initContainerStatuses: init }),
    containerStatuses: apps,
    ...(ephemeral.length === 0 ? {} : { ephemeralContainerStatuses: ephemeral }),
  };
}

/** The last phase is told only when every container, sidecars too, has ended. */
function phaseOf(state: PodState): string {
  if (state.finalPhase !== undefined) return state.finalPhase;
  if (!state.initialized) return 'Pending';
  const hasRun = ({ phase, last }: ContainerState): boolean => {
    if (phase.kind === 'running') return phase.postStart === 'done' || last !== undefined;
    return phase.kind === 'terminated' || last !== undefined;
  };
  const apps = state.containers.filter(({ role }) => role === 'app');
  return apps.every(hasRun) ? 'Running' : 'Pending';
}

interface StatusContext {
  readonly state: PodState;
  readonly runtime: string;
}

function containerStatus(
  container: Container,
  own: ContainerState,
  context: StatusContext,
): ContainerStatus {
  const { phase } = own;
  const running = phase.kind === 'running' ? phase : undefined;
  const isUp = running !== undefined && running.postStart === 'done';
  const isProbed = own.role === 'app' || own.role === 'sidecar';
  const isDone = own.role === 'init' && phase.kind === 'terminated' && phase.exitCode === 0;
  const id = running?.containerId ?? (phase.kind === 'terminated' ? phase.containerId : undefined);
  const shownId = id ?? own.last?.containerId;
  return {
    name: container.name,
    image: container.image ?? '',
    imageID: own.imageId ?? '',
    ...(shownId === undefined ? {} : { containerID: `${context.runtime}://${shownId}` }),
    restartCount: Math.max(0, own.attempt),
    ready: isDone || (isUp && isProbed && running.ready),
    ...(own.role === 'ephemeral' ? {} : { started: isUp && isProbed && running.started }),
    state: stateOf(own, context),
    lastState: lastStateOf(own, context.runtime),
  };
}

function stateOf(own: ContainerState, context: StatusContext): Record<string, unknown> {
  const { phase } = own;
  switch (phase.kind) {
    case 'running':
      if (phase.postStart !== 'done') return { waiting: { reason: waitingReason(context) } };
      return { running: { startedAt: timeText(phase.startedAt) } };
    case 'terminated':
      return { terminated: terminatedOf(phase, context.runtime) };
    case 'starting':
      return { waiting: { reason: waitingReason(context) } };
    case 'waiting': {
      if (context.state.finalPhase !== undefined && own.last !== undefined) {
        return { terminated: terminatedOf(own.last, context.runtime) };
      }
      const { message } = phase;
      return {
        waiting: {
          reason: phase.reason ?? waitingReason(context),
          ...(message === undefined ? {} : { message }),
        },
      };
    }
  }
}

/** As a kubelet has it: with init containers, of all until they have started. */
function waitingReason({ state }: StatusContext): string {
  const hasInit = state.containers.some(({ role }) => role === 'init' || role === 'sidecar');
  return hasInit ? 'PodInitializing' : 'ContainerCreating';
}

function lastStateOf(own: ContainerState, runtime: string): Record<string, unknown> {
  if (own.last === undefined) return {};
  return { terminated: terminatedOf(own.last, runtime) };
}

function terminatedOf(run: Terminated, runtime: string): Record<string, unknown> {
  return {
    exitCode: run.exitCode,
    reason: run.reason,
    ...(run.message === undefined ? {} : { message: run.message }),
    startedAt: run.startedAt === 0 ? null : timeText(run.startedAt),
    finishedAt: timeText(run.finishedAt),
    ...(run.containerId === undefined ? {} : { containerID: `${runtime}://${run.containerId}` }),
  };
}

interface Parts {
  readonly phase: string;
  readonly init: readonly ContainerStatus[];
  readonly apps: readonly ContainerStatus[];
}

function conditionsOf(pod: Pod, state: PodState, parts: Parts): PodCondition[] {
  const generation = pod.metadata.generation;
  const containersReady = containersReadyCondition(state, parts);
  const conditions = [
    condition('PodReadyToStartContainers', state.sandbox.kind === 'ready'),
    initializedCondition(state, parts),
    readyCondition(pod, containersReady),
    containersReady,
    ...(state.ending?.cause === 'killed'
      ? [
          {
            ...condition('DisruptionTarget', true),
            reason: 'TerminationByKubelet',
            message: state.ending.message,
          },
        ]
      : []),
  ];
  return conditions.map((each) => {
    const known = state.conditions[each.type];
    const since = known?.status === each.status ? timeText(known.since) : null;
    return {
      ...each,
      lastProbeTime: null,
      lastTransitionTime: since,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    };
  });
}

function condition(type: string, isTrue: boolean): PodCondition {
  return { type, status: isTrue ? 'True' : 'False' };
}

function initializedCondition(state: PodState, parts: Parts): PodCondition {
  if (parts.phase === 'Succeeded') {
    return { ...condition('Initialized', true), reason: 'PodCompleted' };
  }
  if (state.initialized) return condition('Initialized', true);
  const names = state.containers
    .filter(({ role, phase, done }) => {
      if (role === 'init') return done !== true;
      return role === 'sidecar' && !(phase.kind === 'running' && phase.started);
    })
    .map(({ name }) => name);
  if (names.length === 0) return condition('Initialized', true);
  return {
    ...condition('Initialized', false),
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: [${names.join(' ')}]`,
  };
}

function containersReadyCondition(state: PodState, parts: Parts): PodCondition {
  const type = 'ContainersReady';
  if (parts.phase === 'Succeeded') return { ...condition(type, false), reason: 'PodCompleted' };
  if (parts.phase === 'Failed') return { ...condition(type, false), reason: 'PodFailed' };
  const sidecars = state.containers.filter(({ role }) => role === 'sidecar');
  const watched = [
    ...parts.init.filter(({ name }) => sidecars.some((each) => each.name === name)),
    ...parts.apps,
  ];
  const unready = watched.filter(({ ready }) => !ready).map(({ name }) => name);
  if (unready.length === 0) return condition(type, true);
  return {
    ...condition(type, false),
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${unready.join(' ')}]`,
  };
}

function readyCondition(pod: Pod, containersReady: PodCondition): PodCondition {
  const type = 'Ready';
  if (containersReady.status !== 'True') return { ...containersReady, type };
  const messages: string[] = [];
  for (const { conditionType } of pod.spec.readinessGates ?? []) {
    const found = pod.status?.conditions?.find((each) => each.type === conditionType);
    if (found === undefined) {
      const name = JSON.stringify(conditionType);
      messages.push(`corresponding condition of pod readiness gate ${name} does not exist.`);
    } else if (found.status !== 'True') {
      const name = JSON.stringify(conditionType);
      messages.push(`the status of pod readiness gate ${name} is not "True", but ${found.status}`);
    }
  }
  if (messages.length === 0) return condition(type, true);
  const message = messages.join(', ');
  return { ...condition(type, false), reason: 'ReadinessGatesNotReady', message };
}
