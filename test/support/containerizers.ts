// The containerizers of an agent, for the one suite that they all pass: how an agent with each is started,
// what a container of it is, what it can, and with which words it refuses what it cannot.
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandInfo, ContainerInfo } from '#wire/mesos/v1.ts';
import { findCgroups } from '#env/node/process-cgroup.ts';
import type { AgentMachine } from './agent-machine.ts';
import type { ContainerdFixture } from './containerd.ts';
import { canServeImages } from './docker-registry.ts';
import { findContainerd } from './containerd.ts';

/**
 * `users`: whoever a task names runs it. `mounts`: volumes of every kind. `limits`: memory and processes. `images`, `docker`: by
 * ContainerInfo's types. `groups`: tasks of a group. `walls`: a root, processes and devices of its own.
 */
export type Ability = 'users' | 'mounts' | 'limits' | 'images' | 'docker' | 'groups' | 'walls';

export interface Containerizer {
  readonly name: string;
  readonly skip: string | false;
  readonly can: ReadonlySet<Ability>;
  /** The words of refusal, where what is asked for can be refused. */
  readonly refuses: Partial<Record<Ability, RegExp>>;
  /** Of the agent's command line. */
  readonly flags: readonly string[];
  /** Another kind of container of the one before: what that has shown of its life is not shown again. */
  readonly isVariant?: boolean | undefined;
  /** It needs one. */
  readonly needsContainerd: boolean;
  /** `image`: in the registry, and of all its containers unless this is one without. */
  container(image: string, more?: Partial<ContainerInfo>): ContainerInfo | undefined;
  /** A program and its arguments, without a shell. */
  words(program: string, ...args: readonly string[]): CommandInfo;
  /** What its containers see of their sandbox, and where they start; undefined: as it is on the machine. */
  readonly inside: { readonly sandbox: string; readonly folder: string } | undefined;
  prepare(machine: AgentMachine): void;
}

const isRoot = process.getuid?.() === 0;
const rootAndImages = isRoot && canServeImages ? false : 'needs root, docker-registry and busybox';
const containerd = findContainerd();
const INSIDE = '/mnt/mesos/sandbox';
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

function ofImage(name: string): NonNullable<ContainerInfo['mesos']>['image'] {
  return { type: 'DOCKER', docker: { name } };
}

/** Other users come to its folder. */
const opened = ({ folder }: AgentMachine): void => chmodSync(folder, 0o755);
const plainWords = (program: string, ...args: readonly string[]): CommandInfo => ({
  shell: false,
  value: program,
  arguments: [program, ...args],
});
const plain = (_image: string, more?: Partial<ContainerInfo>): ContainerInfo | undefined =>
  more === undefined ? undefined : { type: 'MESOS', ...more };
const withImage = (image: string, more?: Partial<ContainerInfo>): ContainerInfo => ({
  type: 'MESOS',
  mesos: { image: ofImage(image) },
  ...more,
});
const NO_DOCKER = /None of the enabled containerizers \(mesos\) could create a container/;
const ROOT_FLAGS = ['container_pids_max=40', ...(findCgroups() ? ['isolation=cgroups/all'] : [])];
const limits: readonly Ability[] = findCgroups() === undefined ? [] : ['limits'];

/** One that knows containerd's containers by a socket that is there once its fixture runs. */
const byContainerd = {
  skip: rootAndImages !== false ? rootAndImages : containerd.ok ? false : containerd.reason,
  flags: [...ROOT_FLAGS, 'containerizers=containerd,mesos'],
  needsContainerd: true,
  prepare: opened,
} as const;

export const CONTAINERIZERS: readonly Containerizer[] = [
  {
    name: 'process, by an agent that is not root',
    skip: false,
    can: new Set(['groups']),
    refuses: {
      mounts: /need an agent that runs as root/,
      images: /No image provider|need an agent that runs as root/,
      docker: NO_DOCKER,
    },
    flags: [],
    needsContainerd: false,
    container: plain,
    words: plainWords,
    inside: undefined,
    prepare: (machine) => {
      if (!isRoot) return;
      machine.agentPrefix = NOBODY;
      opened(machine);
      mkdirSync(join(machine.folder, 'agent'));
      chmodSync(join(machine.folder, 'agent'), 0o777);
    },
  },
  {
    name: "linux, in the machine's root",
    skip: isRoot ? false : 'needs root',
    can: new Set(['users', 'mounts', 'groups', ...limits]),
    refuses: { images: /No image provider/, docker: NO_DOCKER },
    flags: ROOT_FLAGS,
    needsContainerd: false,
    container: plain,
    words: plainWords,
    inside: undefined,
    prepare: opened,
  },
  {
    name: 'linux, with images',
    skip: rootAndImages,
    can: new Set(['users', 'mounts', 'images', 'groups', 'walls', ...limits]),
    refuses: { docker: NO_DOCKER },
    flags: [...ROOT_FLAGS, 'image_providers=docker'],
    needsContainerd: false,
    container: withImage,
    words: plainWords,
    inside: { sandbox: INSIDE, folder: INSIDE },
    prepare: opened,
  },
  {
    ...byContainerd,
    name: 'containerd',
    can: new Set(['users', 'mounts', 'images', 'docker', 'groups', 'walls', ...limits]),
    refuses: {},
    container: withImage,
    words: plainWords,
    inside: { sandbox: INSIDE, folder: INSIDE },
  },
  {
    ...byContainerd,
    name: 'containerd, by containers of type DOCKER',
    isVariant: true,
    can: new Set(['users', 'mounts', 'images', 'docker', 'walls', ...limits]),
    refuses: {},
    container: (image, more) => ({ type: 'DOCKER', docker: { image }, ...more }),
    words: (program, ...args) => ({ shell: false, value: program, arguments: [...args] }),
    inside: { sandbox: INSIDE, folder: '/' },
  },
];

export async function startContainerd(): Promise<ContainerdFixture> {
  if (!containerd.ok) throw new Error(containerd.reason);
  return containerd.start();
}
