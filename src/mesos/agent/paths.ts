// Where an agent keeps what on disk: Mesos' own layout under the work folder, and the runtime state
// of containers beside it.
import { join, resolve } from 'node:path';
import type { Resource } from '#wire/mesos/v1.ts';
import type { ExecutorKey } from './types.ts';

/** Ids are made by others: one that would leave its folder is written in another way. */
export function pathPart(id: string): string {
  const isPlain = id !== '' && id !== '.' && id !== '..' && !/[/\0]/.test(id);
  return isPlain ? id : `%${encodeURIComponent(id).replaceAll('.', '%2E')}`;
}

/** The folder of a provider's disk, as Mesos names it. */
function csiPart(id: string): string {
  return id === '.' || id === '..' ? pathPart(id) : encodeURIComponent(id).replaceAll('~', '%7E');
}

export class AgentPaths {
  readonly work: string;

  constructor(workFolder: string) {
    this.work = workFolder;
  }

  meta(agentId: string): string {
    return join(this.work, 'meta', 'slaves', pathPart(agentId));
  }

  get metaLatest(): string {
    return join(this.work, 'meta', 'slaves', 'latest');
  }

  /** `resources_and_operations.state` and `.target`, and the older `resources.info`. */
  resources(name: string): string {
    return join(this.work, 'meta', 'resources', name);
  }

  operations(agentId: string): string {
    return join(this.meta(agentId), 'operations');
  }

  /** What of CSI plugins is published, and by it the volumes that they have made. */
  get csi(): { readonly folder: string; readonly keptPath: string } {
    return { folder: join(this.work, 'csi'), keptPath: join(this.work, 'run', 'csi.json') };
  }

  /** `--domain_socket_location` unless it is named. */
  get executorSocket(): string {
    return join(this.work, 'run', 'agent.sock');
  }

  get bootId(): string {
    return join(this.work, 'meta', 'boot_id');
  }

  /** Which volume has which group. */
  get volumeGids(): string {
    return join(this.work, 'meta', 'volume_gid_manager', 'volume_gids');
  }

  agentInfo(agentId: string): string {
    return join(this.meta(agentId), 'slave.info');
  }

  drainConfig(agentId: string): string {
    return join(this.meta(agentId), 'drain.config');
  }

  /** Which resource providers have an id; beside Mesos' own folder of that purpose, which is LevelDB's. */
  providerRegistry(agentId: string): string {
    return join(this.meta(agentId), 'resource_providers.registry');
  }

  providerState(agentId: string, type: string, name: string): string {
    const folder = join(this.meta(agentId), 'resource_providers', pathPart(type), pathPart(name));
    return join(folder, 'resource_provider.state');
  }

  metaFramework(agentId: string, frameworkId: string): string {
    return join(this.meta(agentId), 'frameworks', pathPart(frameworkId));
  }

  metaExecutor(agentId: string, key: ExecutorKey): string {
    const framework = this.metaFramework(agentId, key.frameworkId);
    return join(framework, 'executors', pathPart(key.executorId));
  }

  metaRun(agentId: string, key: ExecutorKey, containerId: string): string {
    return join(this.metaExecutor(agentId, key), 'runs', pathPart(containerId));
  }

  metaTask(agentId: string, key: ExecutorKey, containerId: string, taskId: string): string {
    return join(this.metaRun(agentId, key, containerId), 'tasks', pathPart(taskId));
  }

  executorSandboxes(agentId: string, key: ExecutorKey): string {
    return join(
      this.work,
      'slaves',
      pathPart(agentId),
      'frameworks',
      pathPart(key.frameworkId),
      'executors',
      pathPart(key.executorId),
      'runs',
    );
  }

  sandbox(agentId: string, key: ExecutorKey, containerId: string): string {
    return join(this.executorSandboxes(agentId, key), pathPart(containerId));
  }

  /** A role's slashes are written as spaces, as Mesos does; a MOUNT disk is one volume, whole. */
  persistentVolume(resource: Resource): string {
    const { source, persistence } = resource.disk ?? {};
    const place = source?.type === 'MOUNT' ? source.mount : source?.path;
    // Of a resource provider's disk the root is that of all its disks.
    const own = source?.id === undefined ? '.' : join(csiPart(source.id), 'target');
    const root = resolve(this.work, place?.root ?? '.', own);
    if (source?.type === 'MOUNT') return root;
    const role = resource.reservations?.at(-1)?.role ?? resource.role ?? '*';
    const id = pathPart(persistence?.id ?? '');
    return join(root, 'volumes', 'roles', pathPart(role.replaceAll('/', ' ')), id);
  }

  get images(): string {
    return join(this.work, 'run', 'images');
  }

  imageRoots(containerId: string): string {
    return join(this.container(containerId), 'roots');
  }

  /** The root of a container with an image; gone with its top-level container, or before. */
  imageRoot(containerId: string, name: string): string {
    return join(this.imageRoots(containerId), pathPart(name));
  }

  /** One folder for each container in a network of its own. */
  get networks(): string {
    return join(this.work, 'run', 'network');
  }

  get fetchCache(): string {
    return join(this.work, 'run', 'fetch');
  }

  /** Who has which. */
  get gpus(): string {
    return join(this.work, 'run', 'gpus.json');
  }

  get netClasses(): string {
    return join(this.work, 'run', 'net-classes.json');
  }

  /** Runtime state of containers: the process host's folders, what built-in executors remember. */
  get containers(): string {
    return join(this.work, 'run', 'containers');
  }

  container(containerId: string): string {
    return join(this.containers, pathPart(containerId));
  }

  containerProcess(containerId: string): string {
    return join(this.container(containerId), 'process');
  }

  taskProcess(containerId: string, taskId: string): string {
    return join(this.container(containerId), 'tasks', pathPart(taskId));
  }

  /** Of what was launched by the API below a container, or as one that stands alone. */
  nestedContainers(topId: string): string {
    return join(this.container(topId), 'nested');
  }

  standaloneSandbox(containerId: string): string {
    return join(this.work, 'containers', pathPart(containerId));
  }

  /** The FIFO that feeds the terminal of a task. */
  taskInput(containerId: string, taskId: string): string {
    return join(this.container(containerId), 'inputs', pathPart(taskId));
  }

  /** Of a command that checks a task, as long as it runs. */
  checkProcess(containerId: string, id: string): string {
    return join(this.container(containerId), 'checks', id);
  }

  taskMemory(containerId: string): string {
    return join(this.container(containerId), 'tasks.json');
  }
}
