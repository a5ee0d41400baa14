// What one container of an agent is to be held to, and what comes of it beside its command.
import type { ProcessMount } from '#env/process.ts';
import {
  confinementOf,
  type Isolation,
  isolationOf,
  type IsolationPolicy,
  PLAIN_POLICY,
} from '#mesos/executor/isolation.ts';
import type { ContainerInfo, LinuxInfo, Resource } from '#wire/mesos/v1.ts';
import type { ImageRoot } from './image-root.ts';

/** What one container may see and do. */
export interface Confined {
  readonly topId: string;
  readonly container: ContainerInfo | undefined;
  readonly resources: readonly Resource[];
  readonly sandbox: string;
  readonly parentSandbox: string | undefined;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Those of its volumes are added to them. */
  readonly groups: Set<number>;
  /** Mounts that come before its own volumes. */
  readonly before?: readonly ProcessMount[] | undefined;
  /** Names its root among those of its top-level container. */
  readonly rootName: string;
  /** Its name with those of the containers above it, whose network it is in without one of its own. */
  readonly networkId: string;
  /** It need not be started any more. */
  readonly signal: AbortSignal;
}

/** What a container gets beside its command; with an image, the root that it enters. */
export interface Confinement {
  readonly isolation: Isolation;
  readonly root: ImageRoot | undefined;
  readonly before: readonly ProcessMount[];
  /** At absolute paths within the root. */
  readonly volumes: readonly ProcessMount[];
}

/** With filesystem/posix containers see the machine's file system as it is. */
export function mounts({ isRoot, isolators }: IsolationPolicy): boolean {
  return isRoot && !isolators.has('filesystem/posix');
}

/** A session joins what its parent has, and is held to what that is. */
export function sessionConfinement(
  container: ContainerInfo | undefined,
  parent: LinuxInfo | undefined,
  policy: IsolationPolicy,
): Confinement {
  const { terminal } = isolationOf({ type: 'MESOS', tty_info: container?.tty_info }, PLAIN_POLICY);
  const isolation = { terminal, ...confinementOf(parent, policy) };
  return { isolation, root: undefined, before: [], volumes: [] };
}
