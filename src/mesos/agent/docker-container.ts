// Containers of type DOCKER, as a containerizer other than Docker runs them: what their DockerInfo and its
// parameters (flags of `docker run`) mean in terms of all others. What is not known is refused by its name.
import { USUAL_CAPABILITIES } from '#base/capabilities.ts';
import type { CommandInfo, ContainerInfo, NetworkInfo, RLimitInfo } from '#wire/mesos/v1.ts';
import type { ImageConfig } from './image-store.ts';

/** What only such a container has. */
export interface DockerUse {
  readonly privileged: boolean;
  /** Nothing but its volumes can be written to. */
  readonly readOnly: boolean;
  readonly env: Readonly<Record<string, string>>;
  readonly workingFolder: string | undefined;
  readonly entrypoint: string | undefined;
  readonly hostname: string | undefined;
  /** Network NONE: one of its own, with nothing in it but a loopback. */
  readonly isAlone: boolean;
  /** `name`, `uid`, either with `:group`; absent: the image's. */
  readonly user: string | undefined;
}

/** The CNI network that Docker's own bridge is here. */
const BRIDGE = 'bridge';
const MB = 1024 * 1024;
/** Docker's own default. */
const SHM_MB = 64;
const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: MB, g: 1024 * MB };

interface Parameter {
  readonly key: string;
  readonly value: string;
}

function bytesOf(text: string): number {
  const [, number, unit = ''] = /^(\d+)([bkmg]?)$/i.exec(text) ?? [];
  if (number === undefined) throw new Error(`"${text}" is no size`);
  return Number(number) * (UNITS[unit.toLowerCase()] ?? 1);
}

function isTrue({ key, value }: Parameter): boolean {
  if (value !== 'true' && value !== 'false') throw new Error(`Parameter '${key}' is no flag`);
  return value === 'true';
}

/** `nofile=64:128` */
function rlimitOf(value: string): NonNullable<RLimitInfo['rlimits']>[number] {
  const [, name = '', soft, hard = soft] = /^(\w+)=(\d+)(?::(\d+))?$/.exec(value) ?? [];
  if (soft === undefined) throw new Error(`"${value}" is no ulimit`);
  const type = `RLMT_${name.toUpperCase()}` as NonNullable<RLimitInfo['rlimits']>[number]['type'];
  return { type, soft: Number(soft), hard: Number(hard) };
}

/** `/host:/container[:ro]` */
function volumeOf(value: string): NonNullable<ContainerInfo['volumes']>[number] {
  const [host_path = '', container_path, mode = 'rw'] = value.split(':');
  if (!host_path.startsWith('/') || container_path === undefined || !/^r[ow]$/.test(mode)) {
    throw new Error(`Only host paths can be volumes of parameter 'volume': not "${value}"`);
  }
  return { host_path, container_path, mode: mode === 'ro' ? 'RO' : 'RW' };
}

/** All that the parameters say. */
class Parameters {
  readonly env: Record<string, string> = {};
  readonly rlimits: NonNullable<RLimitInfo['rlimits']>[number][] = [];
  readonly volumes: NonNullable<ContainerInfo['volumes']>[number][] = [];
  readonly added: string[] = [];
  readonly dropped: string[] = [];
  readonly values = new Map<string, string>();
  readOnly = false;
  privileged = false;

  constructor(parameters: readonly Parameter[]) {
    for (const one of parameters) this.#take(one);
  }

  #take(one: Parameter): void {
    const { key, value } = one;
    switch (key) {
      case 'env': {
        const equals = value.indexOf('=');
        if (equals < 1) throw new Error(`"${value}" is no NAME=VALUE`);
        this.env[value.slice(0, equals)] = value.slice(equals + 1);
        break;
      }
      case 'ulimit':
        this.rlimits.push(rlimitOf(value));
        break;
      case 'volume':
        this.volumes.push(volumeOf(value));
        break;
      case 'cap-add':
        this.added.push(value.toUpperCase().replace(/^CAP_/, ''));
        break;
      case 'cap-drop':
        this.dropped.push(value.toUpperCase().replace(/^CAP_/, ''));
        break;
      case 'read-only':
        this.readOnly = isTrue(one);
        break;
      case 'privileged':
        this.privileged = isTrue(one);
        break;
      case 'entrypoint':
      case 'hostname':
      case 'shm-size':
      case 'user':
      case 'workdir':
        this.values.set(key, value);
        break;
      default:
        throw new Error(`Docker's parameter '${key}' is not supported`);
    }
  }

  capabilities(): string[] | undefined {
    const { added, dropped } = this;
    if (added.length + dropped.length === 0) return undefined;
    if (added.includes('ALL')) throw new Error("All capabilities are those of 'privileged'");
    const usual = USUAL_CAPABILITIES.map((one) => one.toUpperCase());
    const kept = dropped.includes('ALL') ? [] : usual;
    return [...new Set([...kept.filter((one) => !dropped.includes(one)), ...added])];
  }
}

function networksOf(container: ContainerInfo): readonly NetworkInfo[] {
  const { docker, network_infos = [] } = container;
  const port_mappings = docker?.port_mappings ?? [];
  const [first = {}, ...more] = network_infos;
  if (more.length > 0) throw new Error('A Docker container is in one network at most');
  switch (docker?.network ?? 'HOST') {
    case 'HOST':
      if (port_mappings.length > 0) {
        throw new Error('Port mappings are only supported for bridge and user-defined networks');
      }
      return [];
    case 'BRIDGE':
      return [{ ...first, name: BRIDGE, port_mappings: [...port_mappings] }];
    case 'USER':
      if (first.name === undefined) throw new Error('No network name found in network info');
      return [{ ...first, port_mappings: [...port_mappings] }];
    default:
      if (port_mappings.length > 0) throw new Error('There are no port mappings without a network');
      return [];
  }
}

/** The same container as one of type MESOS, and what such a one cannot say. Throws for what is not supported. */
export function understandDocker(container: ContainerInfo): {
  readonly container: ContainerInfo;
  readonly use: DockerUse;
} {
  const { docker, volumes = [], rlimit_info, linux_info, hostname } = container;
  if (docker === undefined) throw new Error('A Docker container has no DockerInfo');
  if (docker.volume_driver !== undefined) {
    throw new Error("Docker's volume drivers are not supported: see volumes of CSI plugins");
  }
  const asked = new Parameters(docker.parameters ?? []);
  const { env, values } = asked;
  const names = asked.capabilities();
  const capabilities = { capabilities: names as never };
  const shm = values.get('shm-size');
  const linux = {
    ...linux_info,
    ...(names === undefined
      ? {}
      : { bounding_capabilities: capabilities, effective_capabilities: capabilities }),
    ipc_mode: 'PRIVATE' as const,
    shm_size: shm === undefined ? SHM_MB : Math.ceil(bytesOf(shm) / MB),
  };
  const rlimits = [...(rlimit_info?.rlimits ?? []), ...asked.rlimits];
  const host = values.get('hostname') ?? hostname;
  return {
    container: {
      type: 'MESOS',
      mesos: {
        image: {
          type: 'DOCKER',
          docker: { name: docker.image },
          cached: docker.force_pull_image !== true,
        },
      },
      volumes: [...volumes, ...asked.volumes],
      network_infos: [...networksOf(container)],
      linux_info: linux,
      ...(host === undefined ? {} : { hostname: host }),
      ...(container.tty_info === undefined ? {} : { tty_info: container.tty_info }),
      ...(rlimits.length === 0 ? {} : { rlimit_info: { rlimits } }),
    },
    use: {
      privileged: asked.privileged || docker.privileged === true,
      readOnly: asked.readOnly,
      env,
      workingFolder: values.get('workdir'),
      entrypoint: values.get('entrypoint'),
      hostname: host,
      isAlone: docker.network === 'NONE',
      user: values.get('user'),
    },
  };
}

/** As Mesos has Docker run it: a shell takes the place of the image's entry point, other words come after that. */
export function dockerCommandLine(
  command: CommandInfo | undefined,
  image: Pick<ImageConfig, 'entrypoint' | 'cmd'>,
  entrypoint: string | undefined,
): readonly string[] {
  const { shell = true, value, arguments: more = [] } = command ?? { shell: false };
  if (shell) {
    if (value === undefined) throw new Error('Shell specified but no command value provided');
    return ['/bin/sh', '-c', value];
  }
  const given = [...(value === undefined ? [] : [value]), ...more];
  // With an entry point of its own, the words of the image are not for it.
  const own = entrypoint === undefined ? image.entrypoint : [entrypoint];
  const cmd = entrypoint === undefined ? image.cmd : [];
  const words = [...own, ...(given.length > 0 ? given : cmd)];
  if (words.length === 0) throw new Error('No executable is found: neither command nor image');
  return words;
}
