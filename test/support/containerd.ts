// A containerd for tests, apart from the machine's own: its folders, socket and network configuration
// are of its own. Its programs are the machine's, or Debian's packages unpacked under build/. Its one
// image, `host-tools`, is made of the machine's own programs, so no registry is asked.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { eventually, root } from './cluster.ts';
import { unpackPackages } from './debian-packages.ts';

/** Names under which the image is known to the runtime. */
export const toolsImage = 'example.test/host-tools:1';
const pauseImage = 'example.test/pause:1';

const programs = ['sh', 'cat', 'echo', 'env', 'id', 'ls', 'mkdir', 'sleep', 'tar', 'touch', 'tty'];
const wantedPrograms = [...programs, 'stty', 'true', 'false', 'hostname', 'head'];

export interface ContainerdFixture {
  readonly socket: string;
  /** The files of its image: a shell and some programs. */
  readonly tree: string;
  /** By its own tool; what that prints. */
  ctr(namespace: string, ...args: readonly string[]): string;
  /** Containerd alone is ended by kill -9 and started again; its containers go on. */
  restart(): Promise<void>;
  /** Ended, and not started again. */
  halt(): void;
  stop(): Promise<void>;
}

export type FoundContainerd =
  | { readonly ok: true; start(): Promise<ContainerdFixture> }
  | { readonly ok: false; readonly reason: string };

function find(program: string, folders: readonly string[]): string | undefined {
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

const systemFolders = ['/usr/local/bin', '/usr/bin', '/usr/sbin', '/usr/local/sbin'];
/** Programs of another version, before all others. */
const givenFolders = (process.env['STRATA_CONTAINERD'] ?? '').split(':').filter(Boolean);

/** The folders with containerd, its shim, ctr and runc; fetched and unpacked where missing. */
function programFolders(): readonly string[] | string {
  const own = join(root, 'build/containerd');
  const folders = [...givenFolders, ...systemFolders, join(own, 'usr/bin'), join(own, 'usr/sbin')];
  const needed = ['containerd', 'containerd-shim-runc-v2', 'ctr', 'runc'];
  const isComplete = (): boolean => needed.every((name) => find(name, folders) !== undefined);
  if (isComplete()) return folders;
  const hindrance = unpackPackages(own, ['containerd', 'runc']);
  if (hindrance !== undefined) {
    return `containerd is not installed and its Debian package cannot be fetched: ${hindrance}`;
  }
  return isComplete() ? folders : 'the package of containerd has not what was expected';
}

/** Whether a containerd can run here, or why not. */
export function findContainerd(): FoundContainerd {
  if (process.getuid?.() !== 0) return { ok: false, reason: 'containerd needs root' };
  if (!existsSync('/sys/fs/cgroup/memory') && !existsSync('/sys/fs/cgroup/cgroup.controllers')) {
    return { ok: false, reason: 'no cgroups are mounted' };
  }
  const folders = programFolders();
  if (typeof folders === 'string') return { ok: false, reason: folders };
  return { ok: true, start: () => Containerd.start(folders) };
}

class Containerd implements ContainerdFixture {
  readonly socket: string;
  readonly tree: string;
  readonly #folder: string;
  readonly #folders: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(folder: string, folders: readonly string[]) {
    this.#folder = folder;
    this.#folders = folders;
    this.socket = join(folder, 'containerd.sock');
    this.tree = join(folder, 'tree');
  }

  static async start(folders: readonly string[]): Promise<Containerd> {
    // Paths of sockets are short.
    const made = new Containerd(mkdtempSync(join(tmpdir(), 'sc-')), folders);
    made.#writeConfig();
    await made.#launch();
    made.#importImages();
    return made;
  }

  #program(name: string): string {
    return find(name, this.#folders) ?? name;
  }

  #writeConfig(): void {
    const at = (name: string): string => JSON.stringify(join(this.#folder, name));
    const cri = '[plugins."io.containerd.grpc.v1.cri"';
    writeFileSync(
      join(this.#folder, 'config.toml'),
      [
        'version = 2',
        `root = ${at('root')}`,
        `state = ${at('state')}`,
        `[grpc]\n  address = ${JSON.stringify(this.socket)}`,
        `[plugins."io.containerd.internal.v1.opt"]\n  path = ${at('opt')}`,
        `${cri}]\n  sandbox_image = "${pauseImage}"`,
        '  restrict_oom_score_adj = true',
        `${cri}.cni]\n  bin_dir = ${at('cni/bin')}\n  conf_dir = ${at('cni/conf')}`,
        '',
      ].join('\n'),
    );
  }

  async #launch(): Promise<void> {
    const path = [...this.#folders, process.env['PATH'] ?? ''].join(':');
    const child = spawn(
      this.#program('containerd'),
      ['--config', join(this.#folder, 'config.toml'), '--log-level', 'warn'],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, PATH: path } },
    );
    this.#child = child;
    let log = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-4_000);
    });
    await eventually(`containerd answers; its log: ${log}`, async () => {
      if (child.exitCode !== null) throw new Error(log);
      this.ctr('k8s.io', 'version');
      return true;
    });
  }

  ctr(namespace: string, ...args: readonly string[]): string {
    const command = ['--address', this.socket, '--namespace', namespace, ...args];
    return execFileSync(this.#program('ctr'), command, { stdio: 'pipe', encoding: 'utf8' });
  }

  #importImages(): void {
    const { tree } = this;
    for (const name of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev', 'root', 'var/run']) {
      mkdirSync(join(tree, name), { recursive: true });
    }
    const path = [...systemFolders, '/bin', '/sbin'];
    for (const name of wantedPrograms) bring(find(name, path), tree);
    bring(process.execPath, tree, 'lib-only');
    writeFileSync(join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
    writeFileSync(join(tree, 'etc/group'), 'root:x:0:\n');
    const archive = join(this.#folder, 'image.tar');
    makeImage(tree, archive, join(this.#folder, 'image'));
    this.ctr('k8s.io', 'images', 'import', archive);
    rmSync(archive);
  }

  async restart(): Promise<void> {
    this.halt();
    await this.#launch();
  }

  halt(): void {
    this.#child?.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    const ended = new Promise((done) => this.#child?.once('exit', done));
    this.#child?.kill('SIGTERM');
    if (this.#child?.exitCode === null && this.#child.signalCode === null) await ended;
    // Root file systems of sandboxes that a failed test has left.
    execFileSync('sh', [
      '-c',
      `grep -o ' ${this.#folder}/[^ ]*' /proc/mounts | sort -r | xargs -r umount -l`,
    ]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Copies a program (or only what it is linked to) into a file tree. */
function bring(program: string | undefined, tree: string, what = 'all'): void {
  if (program === undefined) return;
  if (what === 'all') copyFileSync(program, join(tree, 'bin', basename(program)));
  const links = execFileSync('sh', ['-c', `ldd "${program}" || true`], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  for (const [library] of links.matchAll(/\/[^ ]+/g)) {
    if (library.endsWith(':') || !existsSync(library)) continue;
    mkdirSync(join(tree, dirname(library)), { recursive: true });
    copyFileSync(library, join(tree, library));
  }
}

/** An OCI image archive with one layer, under both names; its entry point only waits. */
function makeImage(tree: string, archive: string, layout: string): void {
  const blobs = join(layout, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (bytes: Buffer): { digest: string; size: number } => {
    const digest = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(blobs, digest), bytes);
    return { digest: `sha256:${digest}`, size: bytes.length };
  };
  const tarball = join(layout, 'layer.tar');
  execFileSync('tar', [
    '-C',
    tree,
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '-cf',
    tarball,
    '.',
  ]);
  const layer = put(readFileSync(tarball));
  rmSync(tarball);
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const config = put(
    Buffer.from(
      JSON.stringify({
        architecture,
        os: 'linux',
        config: {
          Entrypoint: ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done'],
          Env: ['PATH=/bin', 'FROM_IMAGE=yes'],
          WorkingDir: '/',
        },
        rootfs: { type: 'layers', diff_ids: [layer.digest] },
      }),
    ),
  );
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = put(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType,
        config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
        layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
      }),
    ),
  );
  const manifests = [toolsImage, pauseImage].map((name) => ({
    mediaType,
    ...manifest,
    annotations: {
      'io.containerd.image.name': name,
      'org.opencontainers.image.ref.name': name.split(':')[1],
    },
  }));
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  execFileSync('tar', ['-C', layout, '-cf', archive, 'oci-layout', 'index.json', 'blobs']);
  if (statSync(archive).size === 0) throw new Error('The image archive is empty');
}
