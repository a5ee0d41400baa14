// The roots of containers with images: layers by overlayfs, or copied where there is none; /proc, /dev,
// /sys, the sandbox and volumes in them; and the command line that image and task make together.
import { spawnSync } from 'node:child_process';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerdPart, ProcessMount, ProcessSpec } from '#env/process.ts';
import { commandEnvironment, commandLine } from '#mesos/executor/environment.ts';
import type { CommandInfo, Image } from '#wire/mesos/v1.ts';
import type { ContainerdRoots } from './containerd-roots.ts';
import type { Understood } from './containerizers.ts';
import { dockerCommandLine, type DockerUse } from './docker-container.ts';
import { copyLayer, layerEntry, resolveInside } from './image-layer.ts';
import { type Identity, identityIn } from './image-user.ts';
import type { ImageConfig, ImageStore } from './image-store.ts';

export type Backend = 'overlay' | 'copy';

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
const HOST_FILES = ['/etc/resolv.conf', '/etc/hosts', '/etc/hostname'];
const READ_ONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
const MASKED = ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/sched_debug'];
const PATH_DEFAULT = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const SHM_OPTIONS = 'nosuid,nodev,strictatime,mode=1777';
/** The kernel takes one page of options, with the terminating zero and flags of mount(8). */
const OPTIONS_BYTES_MAX = 3900;
const LAYERS_FILE = 'layers.json';

/** The matrix of Mesos' docker/runtime isolator. */
export function imageCommandLine(
  command: CommandInfo | undefined,
  { entrypoint, cmd }: ImageConfig,
): readonly string[] {
  if (command?.shell !== false || command.value !== undefined) return commandLine(command);
  const given = command.arguments ?? [];
  const [program] = cmd;
  if (entrypoint.length > 0) return [...entrypoint, ...(given.length > 0 ? given : cmd)];
  if (program === undefined) throw new Error('No executable is found: neither command nor image');
  return given.length > 0 ? [program, ...given] : cmd;
}

/** Where mounts and files of ours go: the layers in the order of overlayfs, the writable one first. */
export interface Writable {
  readonly folder: string;
  readonly layers: readonly string[];
}

/** What a root is made of. */
export interface Provisioned {
  readonly config: ImageConfig;
  readonly writable: Writable;
  /** The root itself. */
  readonly mount: ProcessMount;
  /** Its container is one of containerd's. */
  readonly containerd?: ContainerdPart | undefined;
}

/** What containers of type DOCKER have besides; undefined: it is of type MESOS. */
interface RootUse {
  /** Where its container finds its sandbox. */
  readonly sandboxInside: string;
  readonly docker: DockerUse | undefined;
  readonly identity: Identity | undefined;
}

/** A root that is about to be mounted. */
export class ImageRoot {
  readonly root: string;
  readonly config: ImageConfig;
  readonly #writable: Writable;
  readonly #base: ProcessMount;
  readonly #containerd: ContainerdPart | undefined;
  readonly #sandbox: string;
  readonly #use: RootUse;
  #files: readonly string[] = [];

  constructor({ config, writable, mount, containerd }: Provisioned, sandbox: string, use: RootUse) {
    this.root = mount.target;
    this.config = config;
    this.#base = mount;
    this.#writable = writable;
    this.#containerd = containerd;
    this.#sandbox = sandbox;
    this.#use = use;
  }

  /**
   * The folders hide whatever an image has at their names: a link there would lead a mount out of the
   * root.
   */
  async makePlaces(): Promise<void> {
    const files: string[] = [];
    for (const path of HOST_FILES) {
      if ((await stat(path).catch(() => undefined))?.isFile() === true) files.push(path);
    }
    for (const path of ['proc', 'dev', 'sys', 'etc', this.#use.sandboxInside]) {
      await makePlace(this.#writable, path.split('/'), true);
    }
    for (const path of files) await makePlace(this.#writable, path.split('/'), false);
    this.#files = files;
  }

  /** Makes the target of a volume at a path that the container names; its path on the machine. */
  async place(path: string, isFolder: boolean): Promise<string> {
    const found = await resolveInside(this.#writable.layers, path);
    const inside = `/${found.path}`;
    if (inside === '/' || `${this.#use.sandboxInside}/`.startsWith(`${inside}/`)) {
      throw new Error(`A volume cannot take the place of '${inside}'`);
    }
    await makePlace(this.#writable, found.path.split('/'), isFolder);
    return join(this.root, found.path);
  }

  /** `spec` as it would run in the machine's own root; `volumes`: those at absolute paths. */
  enter(
    spec: ProcessSpec,
    command: CommandInfo | undefined,
    { before, volumes }: { before: readonly ProcessMount[]; volumes: readonly ProcessMount[] },
  ): ProcessSpec {
    const { docker, sandboxInside } = this.#use;
    const { config } = this;
    return {
      ...spec,
      ...this.#owner(command, spec.groups),
      argv:
        docker === undefined
          ? imageCommandLine(command, config)
          : dockerCommandLine(command, config, docker.entrypoint),
      env: {
        ...spec.env,
        PATH: PATH_DEFAULT,
        ...config.env,
        ...docker?.env,
        ...commandEnvironment(command?.environment),
        MESOS_SANDBOX: sandboxInside,
      },
      cwd: docker?.workingFolder ?? config.workingFolder ?? (docker ? '/' : sandboxInside),
      root: this.root,
      namespaces: {
        ...spec.namespaces,
        mount: 'new',
        pid: 'new',
        ...(docker?.isAlone === true ? { network: 'new' } : {}),
      },
      ...(docker?.hostname === undefined ? {} : { hostname: docker.hostname }),
      // Volumes in the sandbox are mounted there first and come along with it.
      mounts: [...before, ...this.#mounts(spec.mounts), ...volumes],
      ...(this.#containerd === undefined ? {} : { containerd: this.#part(this.#containerd) }),
    };
  }

  #part(containerd: ContainerdPart): ContainerdPart {
    const { privileged, readOnly } = this.#use.docker ?? {};
    return { ...containerd, privileged, readOnly };
  }

  /** A user that the task names is the machine's, whose the sandbox is; else it is the image's. */
  #owner(command: CommandInfo | undefined, groups: readonly number[] = []): Partial<Identity> {
    const { docker, identity } = this.#use;
    if (docker === undefined || (command?.user !== undefined && docker.user === undefined))
      return {};
    if (identity === undefined) return { uid: undefined, gid: undefined };
    return { ...identity, groups: [...new Set([...(identity.groups ?? []), ...groups])] };
  }

  /** What containerd's runtime mounts and hides by itself is left to it. */
  #mounts(asked: ProcessSpec['mounts']): readonly ProcessMount[] {
    // An isolator's own shared memory keeps its size.
    const shm = asked?.find((one) => one.target === '/dev/shm')?.options;
    const own = [
      ...this.#files.map((path) => ({
        source: path,
        target: join(this.root, path),
        readOnly: true,
        ifThere: true,
      })),
      {
        source: this.#sandbox,
        target: join(this.root, this.#use.sandboxInside),
        readOnly: false,
        ifThere: true,
      },
    ];
    if (this.#containerd === undefined) {
      return [this.#base, ...this.#kernelMounts(shm ?? SHM_OPTIONS), ...own];
    }
    const target = join(this.root, '/dev/shm');
    const memory = {
      type: 'tmpfs',
      source: 'tmpfs',
      target,
      readOnly: false,
      options: shm,
    } as const;
    return [this.#base, ...(shm === undefined ? [] : [memory]), ...own];
  }

  #kernelMounts(shm: string): readonly ProcessMount[] {
    const at = (path: string): string => join(this.root, path);
    const bind = (source: string, target: string, readOnly: boolean): ProcessMount => ({
      source,
      target,
      readOnly,
      ifThere: true,
    });
    const made = (
      type: 'tmpfs' | 'proc' | 'sysfs' | 'devpts',
      path: string,
      options: string,
    ): ProcessMount => ({
      type,
      source: type,
      target: at(path),
      readOnly: type === 'sysfs',
      options,
    });
    return [
      made('proc', '/proc', 'nosuid,nodev,noexec'),
      made('sysfs', '/sys', 'nosuid,nodev,noexec'),
      made('tmpfs', '/dev', 'nosuid,mode=755'),
      made('devpts', '/dev/pts', 'nosuid,noexec,newinstance,ptmxmode=0666,mode=0620'),
      // A target that is not there is made: below /dev all of it is new.
      ...DEVICES.map((name) => ({
        source: `/dev/${name}`,
        target: at(`/dev/${name}`),
        readOnly: false,
      })),
      { source: at('/dev/pts/ptmx'), target: at('/dev/ptmx'), readOnly: false },
      made('tmpfs', '/dev/shm', shm),
      ...MASKED.map((path) => bind('/dev/null', at(path), false)),
      ...READ_ONLY.map((path) => bind(at(path), at(path), true)),
    ];
  }
}

/**
 * Each part becomes a folder of the writable layer, with the looks of the one below it; what is no
 * folder there gives way, so that none of it is ever a link.
 */
async function makePlace(
  { folder, layers }: Writable,
  parts: readonly string[],
  isFolder: boolean,
): Promise<void> {
  const names = parts.filter((part) => part !== '');
  let path = '';
  for (const [at, name] of names.entries()) {
    path = join(path, name);
    const own = join(folder, path);
    const wantsFolder = isFolder || at < names.length - 1;
    const about = await lstat(own).catch(() => undefined);
    if (wantsFolder ? about?.isDirectory() === true : about?.isFile() === true) continue;
    if (about !== undefined) await rm(own, { recursive: true });
    if (!wantsFolder) await writeFile(own, '', { flag: 'wx' });
    else {
      const below = (await layerEntry(layers, path))?.about;
      await mkdir(own, { mode: 0o755 });
      if (below?.isDirectory() === true) {
        await chown(own, below.uid, below.gid);
        await chmod(own, below.mode & 0o7777);
      }
    }
  }
}

export interface ImageRootsOptions {
  readonly store: ImageStore;
  /** Undefined: overlayfs where the kernel and the disk have it. */
  readonly backend: Backend | undefined;
  readonly providers: ReadonlySet<string>;
  readonly isRoot: boolean;
  /** Where containers find their sandbox (`--sandbox_directory`). */
  readonly sandboxInside: string;
  /** A writable layer is made for the container of that sandbox. */
  readonly chargeTo: (sandbox: string, folder: string) => Promise<void>;
  /** Undefined without containerd. */
  readonly containerd: ContainerdRoots | undefined;
}

/** Makes and keeps account of the roots of containers. */
export class ImageRoots {
  readonly store: ImageStore;
  readonly #options: ImageRootsOptions;
  #backend: Promise<Backend> | undefined;

  constructor(options: ImageRootsOptions) {
    this.#options = options;
    this.store = options.store;
  }

  /** `folder`: for this root alone; goes with its container. `signal`: nobody needs it any more. */
  async root(
    image: Image,
    folder: string,
    sandbox: string,
    { by, docker }: Pick<Understood, 'by' | 'docker'>,
    signal: AbortSignal,
  ): Promise<ImageRoot> {
    const { sandboxInside } = this.#options;
    const made = await (by === 'mesos'
      ? this.#provision(image, folder, signal, sandbox)
      : this.#ofContainerd(image, folder, signal, sandbox));
    const user = docker === undefined ? undefined : (docker.user ?? made.config.user);
    const identity = user === undefined ? undefined : await identityIn(made.writable.layers, user);
    const root = new ImageRoot(made, sandbox, { sandboxInside, docker, identity });
    await root.makePlaces();
    return root;
  }

  async #ofContainerd(
    image: Image,
    folder: string,
    signal: AbortSignal,
    sandbox: string,
  ): Promise<Provisioned> {
    const { containerd, chargeTo } = this.#options;
    if (containerd === undefined) throw new Error('There is no containerd');
    if (image.type !== 'DOCKER') throw new Error(`containerd runs no images of type ${image.type}`);
    const made = await containerd.provision(image, folder, signal);
    await chargeTo(sandbox, made.writable.folder);
    return made;
  }

  /** The files of an image as a volume: mounted at `target`. */
  async volume(
    image: Image,
    folder: string,
    target: string,
    readOnly: boolean,
    signal: AbortSignal,
  ): Promise<readonly ProcessMount[]> {
    const { mount } = await this.#provision(image, folder, signal);
    return [mount, { source: mount.target, target, readOnly }];
  }

  async #provision(
    image: Image,
    folder: string,
    signal: AbortSignal,
    sandbox?: string,
  ): Promise<Provisioned> {
    const { providers, isRoot } = this.#options;
    if (image.type !== 'DOCKER' || image.docker === undefined || !providers.has('docker')) {
      const type = image.type ?? 'UNKNOWN';
      throw new Error(`No image provider for images of type ${type}: see image_providers`);
    }
    if (!isRoot) throw new Error('Images need an agent that runs as root');
    const stored = await this.store.get(image, folder, signal);
    const [root, upper, work] = [join(folder, 'root'), join(folder, 'upper'), join(folder, 'work')];
    await mkdir(root, { recursive: true, mode: 0o755 });
    await writeFile(join(folder, LAYERS_FILE), JSON.stringify(stored.layers));
    const options = `lowerdir=${stored.layers.join(':')},upperdir=${upper},workdir=${work}`;
    this.#backend ??= this.#choose(folder);
    if ((await this.#backend) === 'overlay' && options.length <= OPTIONS_BYTES_MAX) {
      for (const path of [upper, work]) {
        await mkdir(path, { recursive: true, mode: 0o755 });
        if (sandbox !== undefined) await this.#options.chargeTo(sandbox, path);
      }
      await chmod(upper, 0o755);
      const mount = { type: 'overlay', source: 'overlay', target: root, readOnly: false } as const;
      const writable = { folder: upper, layers: [upper, ...stored.layers] };
      return { config: stored.config, writable, mount: { ...mount, options } };
    }
    for (const layer of stored.layers.toReversed()) {
      await copyLayer(layer, await this.store.removalsOf(layer), root, signal);
    }
    await chmod(root, 0o755);
    const mount = { source: root, target: root, readOnly: false };
    return { config: stored.config, writable: { folder: root, layers: [root] }, mount };
  }

  async #choose(near: string): Promise<Backend> {
    const { backend } = this.#options;
    return backend ?? ((await canOverlay(near)) ? 'overlay' : 'copy');
  }

  /** Those below a folder, or only those that `which` takes; they have ended. */
  async release(below: string, which?: (folder: string) => boolean): Promise<void> {
    await this.#options.containerd?.release(below, which);
    for (const folder of this.store.holdersBelow(below)) {
      if (which?.(folder) !== false) this.store.release(folder);
    }
  }

  diskUsed(): Promise<number> {
    return this.store.diskUsed();
  }

  /** Takes up what an earlier life has left in containerd, or removes it: the containers are gone already. */
  async recoverContainerd(isKnown: (folder: string) => boolean): Promise<void> {
    await this.#options.containerd?.recover(isKnown);
  }

  /** Removes images that nobody uses; how many went. */
  async prune(excluded: readonly string[]): Promise<number> {
    const others = await this.#options.containerd?.prune(excluded);
    return (others ?? 0) + (await this.store.prune(excluded));
  }

  /** Roots of an earlier life, below the folder of one top-level container. */
  async recover(containerFolder: string): Promise<void> {
    const roots = join(containerFolder, 'roots');
    for (const name of await readdir(roots).catch(() => [])) {
      const folder = join(roots, name);
      const text = await readFile(join(folder, LAYERS_FILE), 'utf8').catch(() => undefined);
      if (text !== undefined) this.store.hold(folder, JSON.parse(text) as readonly string[]);
    }
  }
}

/** Whether the kernel lays one folder of this disk over another: not in every container, nor on every disk. */
async function canOverlay(near: string): Promise<boolean> {
  const folder = await mkdtemp(join(near, 'try-'));
  try {
    for (const name of ['l', 'u', 'w', 'm']) await mkdir(join(folder, name));
    const options = 'lowerdir=l,upperdir=u,workdir=w';
    const tried = spawnSync(
      'unshare',
      ['--mount', '--', 'mount', '-t', 'overlay', 'overlay', '-o', options, 'm'],
      { cwd: folder, stdio: 'ignore' },
    );
    return tried.status === 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
