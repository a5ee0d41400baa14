// The roots of an agent's containers, as its flags have them made: by its own store of images, and by containerd.
import { join } from 'node:path';
import type { ContainerdClient } from '#containerd/containerd-client.ts';
import { ContainerdImages } from '#containerd/containerd-images.ts';
import type { Env } from '#env/env.ts';
import type { AgentFlags } from './flags.ts';
import { ContainerdRoots } from './containerd-roots.ts';
import { ImageRoots } from './image-root.ts';
import { ImageStore } from './image-store.ts';
import type { AgentPaths } from './paths.ts';
import type { ProjectQuotas } from './project-quotas.ts';

export interface ContainerRootsOptions {
  readonly paths: AgentPaths;
  readonly flags: AgentFlags;
  readonly cgroupRoot: string;
  readonly nextId: () => string;
  /** Undefined unless it is among the containerizers. */
  readonly containerd: ContainerdClient | undefined;
}

export function containerRoots(
  { paths, flags, cgroupRoot, nextId, containerd: client }: ContainerRootsOptions,
  mayMount: boolean,
  env: Pick<Env, 'clock'>,
  quotas: ProjectQuotas | undefined,
): ImageRoots {
  const { dockerRegistry: registry, dockerConfig: logins } = flags;
  const { snapshotter } = flags.containerd;
  const store = new ImageStore({ folder: flags.dockerStore ?? paths.images, registry, logins });
  const containerd =
    client &&
    new ContainerdRoots({
      images: new ContainerdImages({ client, snapshotter, nextId, now: () => env.clock.now() }),
      snapshotter,
      store,
      staging: join(paths.work, 'run', 'to-containerd'),
      owner: cgroupRoot,
    });
  return new ImageRoots({
    store,
    containerd,
    backend: flags.imageBackend,
    providers: flags.imageProviders,
    isRoot: mayMount,
    sandboxInside: flags.sandboxInside,
    // What a container writes in its root counts as what it writes in its sandbox.
    chargeTo: async (sandbox, folder) => quotas?.share(sandbox, folder),
  });
}
