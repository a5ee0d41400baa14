// The home folder: who holds it, what runs in it, where its parts keep their things.
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { Fault } from '#base/fault.ts';
import { prepareFolder } from './folder.ts';

/** Stores, logs and sandboxes want some room to begin with. */
const FREE_BYTES_MIN = 16 * 1024 * 1024;

export interface InstanceConfig {
  readonly name: string;
  readonly port: number;
  /** As --service-cluster-ip-range has it: a range, or one of each family after the other. */
  readonly serviceCidr: string;
  readonly podCidr: string;
  /** Where the objects are, when not in the instance's own folder: see store/open-store.ts. */
  readonly store?: string;
  /** Flags of kube-apiserver, such as `tokenAuthFile`: see docs/operating/access.md. */
  readonly apiserver?: Readonly<Record<string, string | readonly string[]>>;
  /** A file with an EncryptionConfiguration: how values are encrypted in the store. */
  readonly encryptionProviderConfig?: string;
}

/** `DIR/run/supervisor.json`: what the CLI reads; written by the supervisor alone. */
export interface SupervisorState {
  readonly pid: number;
  /** Start time of the pid in clock ticks after boot (/proc), against reuse of pids. */
  readonly startTicks: string;
  readonly masterUrl: string;
  readonly masterPort: number;
  readonly portOffset: number;
  readonly agents: number;
  readonly parts: readonly {
    readonly name: string;
    readonly state: string;
    readonly url?: string;
    readonly pid?: number;
    /** How it ended last and how often in a row, while it is not running. */
    readonly exit?: string;
    readonly failures?: number;
  }[];
  /** Why everything stopped by itself. */
  readonly failure?: string;
}

export function writeFileWhole(path: string, text: string, mode = 0o644): void {
  const temporary = `${path}.tmp.${process.pid}`;
  writeFileSync(temporary, text, { mode });
  renameSync(temporary, path);
}

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined;
    throw new Fault({ code: 'home-damaged', path }, `Cannot read "${path}"`, { cause: error });
  }
}

/** undefined when there is no such process. Works on Linux; elsewhere the pid alone must do. */
export function startTicksOf(pid: number): string | undefined {
  try {
    if (!existsSync('/proc/self/stat')) {
      process.kill(pid, 0);
      return 'unknown';
    }
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

export class Home {
  readonly folder: string;
  constructor(folder: string) {
    this.folder = folder;
  }

  path(...parts: readonly string[]): string {
    return join(this.folder, ...parts);
  }

  get statePath(): string {
    return this.path('run', 'supervisor.json');
  }

  /** The folders every part needs; Faults `home-unwritable` and `home-full` with the path. */
  prepare(): void {
    for (const folder of ['', 'run', 'log', 'kube', 'agents', 'master', 'bin']) {
      prepareFolder(this.path(folder), { freeBytesMin: FREE_BYTES_MIN });
    }
  }

  /** The supervisor that runs in this home now, if any. */
  running(): SupervisorState | undefined {
    const state = readJson<SupervisorState>(this.statePath);
    if (state === undefined) return undefined;
    return startTicksOf(state.pid) === state.startTicks ? state : undefined;
  }

  lastState(): SupervisorState | undefined {
    return readJson<SupervisorState>(this.statePath);
  }

  /** Takes the home for this process or throws `home-in-use` with the pid that holds it. */
  claim(): void {
    const path = this.path('run', 'lock');
    const mine = JSON.stringify({ pid: process.pid, startTicks: startTicksOf(process.pid) });
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        writeFileSync(path, mine, { flag: 'wx' });
        return;
      } catch (error) {
        if ((error as { code?: string }).code !== 'EEXIST') throw error;
        const holder = readJson<{ pid: number; startTicks: string }>(path);
        if (holder !== undefined && startTicksOf(holder.pid) === holder.startTicks) {
          throw new Fault(
            { code: 'home-in-use', pid: holder.pid, path: this.folder },
            `Cannot start in "${this.folder}": the process with pid ${holder.pid} holds it`,
          );
        }
        // The holder is gone without having let go (kill -9): its lock means nothing any more.
        renameSync(path, `${path}.stale`);
      }
    }
    throw new Fault(
      { code: 'home-in-use', path },
      `Cannot lock "${path}": another process was faster`,
    );
  }

  release(): void {
    try {
      renameSync(this.path('run', 'lock'), this.path('run', 'lock.released'));
    } catch {
      // Already gone: nothing is held.
    }
  }

  instances(): readonly InstanceConfig[] {
    const names = existsSync(this.path('kube')) ? readdirSync(this.path('kube')) : [];
    return names
      .filter((name) => !name.startsWith('.'))
      .map((name) => readJson<InstanceConfig>(this.path('kube', name, 'instance.json')))
      .filter((config) => config !== undefined)
      .sort((a, b) => a.port - b.port);
  }

  /** Writes down a new instance, with addresses that nobody else on this machine has, where none are said. */
  addInstance(name: string, port: number, serviceCidr?: string): void {
    const ranges = this.instances().flatMap((one) => [
      one.podCidr,
      ...one.serviceCidr.split(',').map((range) => range.trim()),
    ]);
    const config = instanceConfig(name, port, [...ranges, ...addressesInUse()]);
    this.writeInstance({ ...config, ...(serviceCidr === undefined ? {} : { serviceCidr }) });
  }

  writeInstance(config: InstanceConfig): void {
    const folder = this.path('kube', config.name);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileWhole(join(folder, 'instance.json'), `${JSON.stringify(config, null, 2)}\n`);
  }

  kubeconfig(instance: string): string {
    return this.path('kube', instance, 'kubeconfig');
  }
}

/** A name is a folder, a part and a role: Fault `bad-name` for what cannot be all of them. */
export function checkInstanceName(name: string): void {
  if (/^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$/.test(name)) return;
  throw new Fault(
    { code: 'bad-name', name },
    `Cannot use "${name}" as the name of an instance: lower case letters, digits and "-" make one`,
  );
}

/**
 * Address ranges of an instance, which follow from its port; where `inUse` (IPv4 addresses or
 * ranges) has such addresses already, the next free ones.
 */
export function instanceConfig(
  name: string,
  port: number,
  inUse: readonly string[] = [],
): InstanceConfig {
  // Instances of one home differ in ones, homes (--port-offset) in round numbers.
  const wanted = port + 10 * Math.floor(port / 100) + 3 * Math.floor(port / 1000);
  const isFree = (slot: number): boolean =>
    !inUse.some((ip) => ip.startsWith(`10.${20 + slot}.`) || ip.startsWith(`10.${130 + slot}.`));
  const slots = Array.from({ length: 100 }, (_, step) => (wanted + step) % 100);
  const slot = slots.find(isFree) ?? wanted % 100;
  return {
    name,
    port,
    serviceCidr: `10.${20 + slot}.0.0/16`,
    podCidr: `10.${130 + slot}.0.0/16`,
  };
}

/** IPv4 addresses of this machine's interfaces that carry something: no bridge without pods. */
function addressesInUse(): readonly string[] {
  const interfaces = Object.values(networkInterfaces()).flatMap((list = []) => list);
  return interfaces.filter(({ family }) => family === 'IPv4').map(({ address }) => address);
}
