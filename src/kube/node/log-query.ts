// What a request for a container's log means: its parameters, and which run of the container. Pure.
import type { ContainerState, PodStatus } from './pod-state.ts';
import type { LogRequest } from './runtime.ts';

type Parsed<T> = ({ readonly kind: 'ok' } & T) | { readonly kind: 'invalid'; message: string };

function number(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  return text === null || text === '' ? undefined : Number(text);
}

export function logRequestOf(
  query: URLSearchParams,
  now: number,
): Parsed<{ readonly request: LogRequest }> {
  const isOn = (name: string): boolean => ['1', 'true'].includes(query.get(name) ?? '');
  const tailLines = number(query, 'tailLines');
  const limitBytes = number(query, 'limitBytes');
  const sinceSeconds = number(query, 'sinceSeconds');
  const sinceTime = query.get('sinceTime');
  const invalid = (name: string): Parsed<{ request: LogRequest }> => ({
    kind: 'invalid',
    message: `invalid value for ${name}: ${query.get(name)}`,
  });
  if (tailLines !== undefined && !(tailLines >= 0)) return invalid('tailLines');
  if (limitBytes !== undefined && !(limitBytes >= 1)) return invalid('limitBytes');
  if (sinceSeconds !== undefined && !(sinceSeconds >= 1)) return invalid('sinceSeconds');
  const since = sinceTime === null ? undefined : Date.parse(sinceTime);
  if (since !== undefined && Number.isNaN(since)) return invalid('sinceTime');
  const stream = (query.get('stream') ?? 'All').toLowerCase();
  if (stream !== 'all' && stream !== 'stdout' && stream !== 'stderr') return invalid('stream');
  const sinceMs = sinceSeconds === undefined ? since : now - sinceSeconds * 1000;
  return {
    kind: 'ok',
    request: {
      follow: isOn('follow'),
      timestamps: isOn('timestamps'),
      tailLines,
      limitBytes,
      sinceMs,
      stream,
    },
  };
}

/** The run of the container whose log is meant; messages are the kubelet's. */
export function logAttempt(
  status: PodStatus,
  container: ContainerState,
  previous: boolean,
  podName: string,
): Parsed<{ readonly attempt: number }> {
  const { name, attempt, phase } = container;
  const isUp = phase.kind === 'running' || phase.kind === 'terminated';
  if (previous) {
    const wanted = isUp ? attempt - 1 : attempt;
    if (wanted >= 0 && container.last !== undefined) return { kind: 'ok', attempt: wanted };
    const message = `previous terminated container "${name}" in pod "${podName}" not found`;
    return { kind: 'invalid', message };
  }
  if (isUp || container.last !== undefined) return { kind: 'ok', attempt };
  const shown = [
    ...status.containerStatuses,
    ...((status['initContainerStatuses'] ?? []) as PodStatus['containerStatuses']),
    ...((status['ephemeralContainerStatuses'] ?? []) as PodStatus['containerStatuses']),
  ].find((each) => each.name === name);
  const { reason = 'ContainerCreating' } = (shown?.state['waiting'] ?? {}) as { reason?: string };
  const message = `container "${name}" in pod "${podName}" is waiting to start: ${reason}`;
  return { kind: 'invalid', message };
}
