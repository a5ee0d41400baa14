// How a container with an image starts: its own root of layers, /proc, /dev, /sys and the sandbox
// in it, and the command line that the image and the task make together (docker/runtime).
import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessMount, ProcessSpec } from '#env/process.ts';
import { commandLine } from '#mesos/executor/environment.ts';
import type { CommandInfo } from '#wire/mesos/v1.ts';
import type { ImageConfig, StoredImage } from './image-store.ts';

/** Mesos' `--sandbox_directory`. */
export const SANDBOX_INSIDE = '/mnt/mesos/sandbox';

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
const HOST_FILES = ['/etc/resolv.conf', '/etc/hosts', '/etc/hostname'];
const READ_ONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
const MASKED = ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/sched_debug'];
const PATH_DEFAULT = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

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

/** What the image gives; the task's own variables and the agent's go before them. */
export function imageVariables({ env }: ImageConfig): Readonly<Record<string, string>> {
  return { PATH: PATH_DEFAULT, ...env };
}

/**
 * The folders are made in the upper layer, where they hide whatever an image has at their names:
 * a link there would lead a mount out of the root.
 */
async function makeUpper(upper: string, files: readonly string[]): Promise<void> {
  for (const path of ['proc', 'dev', 'sys', 'etc', SANDBOX_INSIDE]) {
    await mkdir(join(upper, path), { recursive: true, mode: 0o755 });
  }
  for (const path of files) await writeFile(join(upper, path), '');
  await chmod(upper, 0o755);
}

/** The mounts of a root below `folder`, which goes with its container. */
export async function imageRoot(
  image: StoredImage,
  folder: string,
  sandbox: string,
): Promise<Required<Pick<ProcessSpec, 'root' | 'mounts' | 'namespaces'>>> {
  const [root, upper, work] = [join(folder, 'root'), join(folder, 'upper'), join(folder, 'work')];
  for (const path of [root, upper, work]) await mkdir(path, { recursive: true, mode: 0o755 });
  const files: string[] = [];
  for (const path of HOST_FILES) {
    if ((await stat(path).catch(() => undefined))?.isFile() === true) files.push(path);
  }
  await makeUpper(upper, files);
  const at = (path: string): string => join(root, path);
  const bind = (source: string, target: string, readOnly: boolean): ProcessMount => ({
    source,
    target,
    readOnly,
    ifThere: true,
  });
  const made = (type: 'tmpfs' | 'proc' | 'sysfs', path: string, options: string): ProcessMount => ({
    type,
    source: type,
    target: at(path),
    readOnly: type === 'sysfs',
    options,
    ifThere: true,
  });
  const layers = `lowerdir=${image.layers.join(':')},upperdir=${upper},workdir=${work}`;
  return {
    root,
    namespaces: { mount: 'new', pid: 'new' },
    mounts: [
      { type: 'overlay', source: 'overlay', target: root, readOnly: false, options: layers },
      made('proc', '/proc', 'nosuid,nodev,noexec'),
      made('sysfs', '/sys', 'nosuid,nodev,noexec'),
      made('tmpfs', '/dev', 'nosuid,mode=755'),
      // A target that is not there is made: below /dev all of it is new.
      ...DEVICES.map((name) => ({
        source: `/dev/${name}`,
        target: at(`/dev/${name}`),
        readOnly: false,
      })),
      {
        type: 'tmpfs',
        source: 'shm',
        target: at('/dev/shm'),
        readOnly: false,
        options: 'nosuid,nodev,noexec,mode=1777',
      },
      ...MASKED.map((path) => bind('/dev/null', at(path), false)),
      ...READ_ONLY.map((path) => bind(at(path), at(path), true)),
      ...files.map((path) => bind(path, at(path), true)),
      bind(sandbox, at(SANDBOX_INSIDE), false),
    ],
  };
}
