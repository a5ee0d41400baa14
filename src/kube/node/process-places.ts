// Where the process runtime keeps what belongs to a container, and how such places are named.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { podIdentity } from './pod-spec.ts';
import type { ContainerPlace, PodPlace } from './runtime.ts';

export function containerFolder({ folder, container }: ContainerPlace): string {
  return join(folder, 'containers', container.name);
}

export function attemptFolder(place: ContainerPlace): string {
  return join(containerFolder(place), String(place.attempt));
}

/** The process host's own folder. */
export function stateFolder(place: ContainerPlace): string {
  return join(attemptFolder(place), 'process');
}

/** Standard input of containers with `stdin: true`. */
export function inputPath(place: ContainerPlace): string {
  return join(attemptFolder(place), 'stdin');
}

export function terminationPath(place: ContainerPlace): string {
  return join(attemptFolder(place), 'termination-log');
}

/** The same for the same attempt, so that a successor of the executor names it alike. */
export function containerId(place: ContainerPlace): string {
  const { uid } = podIdentity(place.pod);
  const text = `${uid}/${place.container.name}/${place.attempt}`;
  return createHash('sha256').update(text).digest('hex');
}

export function hostname({ pod }: PodPlace): string {
  return (pod.spec.hostname ?? pod.metadata.name ?? 'pod').slice(0, 63);
}
