// Which containerizer runs a container, out of those that `--containerizers` names: the first of them that can.
import type { ContainerInfo } from '#wire/mesos/v1.ts';
import { type DockerUse, understandDocker } from './docker-container.ts';

/** `mesos`: the agent's own launcher. `containerd`: images, as containers of containerd's. */
export type Containerizer = 'mesos' | 'containerd';

export interface ContainerizerFlags {
  /** In the order in which they are asked. */
  readonly enabled: readonly Containerizer[];
  /** Docker's was named as well, of which there is none. */
  readonly passesOverDocker: boolean;
}

/** A container as the one that runs it understands it. */
export interface Understood {
  readonly by: Containerizer;
  /** Of type MESOS. */
  readonly container: ContainerInfo | undefined;
  readonly docker: DockerUse | undefined;
}

/** `mesos,containerd` */
export function containerizers(text: string): ContainerizerFlags {
  const names = text.split(',').filter((name) => name !== '');
  const unknown = names.find((name) => !['mesos', 'docker', 'containerd'].includes(name));
  if (unknown !== undefined) throw new Error(`Unknown or unsupported containerizer: ${unknown}`);
  const enabled = [...new Set(names)].filter((name) => name !== 'docker') as Containerizer[];
  if (enabled.length === 0) throw new Error(`"${text}" has none that there is: mesos, containerd`);
  if (enabled.includes('containerd') && process.getuid?.() !== 0) {
    throw new Error('containerd needs an agent that runs as root');
  }
  return { enabled, passesOverDocker: names.includes('docker') };
}

/** Whether it has a root of its own. */
export function hasImage(container: ContainerInfo | undefined): boolean {
  return container?.type === 'DOCKER' || container?.mesos?.image !== undefined;
}

function can(by: Containerizer, container: ContainerInfo | undefined): boolean {
  return by === 'mesos' ? container?.type !== 'DOCKER' : hasImage(container);
}

/** Throws with the words for its last update. */
export function understood(
  container: ContainerInfo | undefined,
  { enabled }: Pick<ContainerizerFlags, 'enabled'>,
): Understood {
  const by = enabled.find((one) => can(one, container));
  if (by === undefined) {
    const why =
      container?.type === 'DOCKER'
        ? 'it is of type DOCKER'
        : 'it has no image, as containerd needs';
    throw new Error(
      `None of the enabled containerizers (${enabled.join(',')}) could create a container for the ` +
        `provided TaskInfo/ExecutorInfo message: ${why}`,
    );
  }
  if (container?.type !== 'DOCKER') return { by, container, docker: undefined };
  const { container: meant, use } = understandDocker(container);
  return { by, container: meant, docker: use };
}
