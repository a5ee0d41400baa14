// Containers that somebody launched through the agent's API: below an executor's or a task's
// container, or standing alone. They outlive the agent, except for sessions, and never their parent.
import { createHash } from 'node:crypto';
import { chown, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { errorChain } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import type { ExitStatus, HostProcess, ProcessHost, Signal } from '#env/process.ts';
import type {
  CommandInfo,
  ContainerInfo,
  LinuxInfo,
  Resource,
  TaskState,
  TaskStatus_Reason,
  Value_Scalar,
} from '#wire/mesos/v1.ts';
import { type ContainerPath, nameOf } from './container-id.ts';
import { makeFifo, openInput } from './container-io.ts';
import type { ContainerSpecs } from './container-spec.ts';
import { hasImage } from './containerizers.ts';
import { LateEnds } from './late-ends.ts';
import type { AgentPaths } from './paths.ts';
import type { SandboxGc } from './sandbox-gc.ts';

/** A container that is an executor's or a task's. */
export interface MainContainer {
  /** Undefined for the built-in default executor, which is no process. */
  readonly process: HostProcess | undefined;
  readonly sandbox: string;
  readonly user: string;
  /** Where its input goes, when it has a terminal. */
  readonly terminalInput: string | undefined;
  /** Made of an image. */
  readonly hasOwnRoot: boolean;
  /** What those who join it are held to, too. */
  readonly linux: LinuxInfo | undefined;
}

export interface LaunchRequest {
  readonly path: ContainerPath;
  readonly command: CommandInfo | undefined;
  readonly container: ContainerInfo | undefined;
  readonly resources: readonly Resource[];
  readonly limits: Readonly<Record<string, Value_Scalar>>;
  /** It joins all that its parent has, and lives as long as its connection does. */
  readonly isSession: boolean;
}

export interface Termination {
  /** As wait(2) gives it; absent when it never ran. */
  readonly exit_status?: number | undefined;
  readonly state?: TaskState | undefined;
  readonly reason?: TaskStatus_Reason | undefined;
  readonly message?: string | undefined;
}

/** What is kept on disk of one. */
interface Info {
  readonly path: ContainerPath;
  readonly isSession: boolean;
  readonly sandbox: string;
  readonly user: string;
  readonly hasTerminal: boolean;
  readonly hasOwnRoot?: boolean | undefined;
  readonly linux?: LinuxInfo | undefined;
}

interface Nested {
  readonly info: Info;
  readonly folder: string;
  readonly ended: PromiseWithResolvers<Termination>;
  end: Termination | undefined;
  process: HostProcess | undefined;
  /** Of a session without a terminal: closing it is the end of its input. */
  input: Socket | undefined;
  /** Aborted when it is destroyed. */
  readonly life: AbortController;
}

/** Where those who attach find a container's input and output. */
export interface AttachPoint {
  readonly pid: number | undefined;
  readonly resize: HostProcess['resize'];
  readonly sandbox: string;
  readonly hasTerminal: boolean;
  readonly terminalInput: string | undefined;
  readonly input: Socket | undefined;
  readonly ended: Promise<unknown>;
}

export interface NestedContainersOptions {
  readonly paths: AgentPaths;
  readonly specs: ContainerSpecs;
  readonly host: ProcessHost;
  readonly env: Env;
  /** Undefined: sandboxes of nested containers stay as long as their executor's. */
  readonly gc: Pick<SandboxGc, 'ended' | 'removedByOthers'> | undefined;
  /** An executor's or a task's container, while its executor lives. */
  readonly findMain: (path: ContainerPath) => MainContainer | undefined;
}

const NEVER = new Promise<never>(() => {});

export class NestedContainers {
  readonly #options: NestedContainersOptions;
  readonly #all = new Map<string, Nested>();
  readonly #lateEnds = new LateEnds();
  /** Of roots and networks of ended containers. */
  removeErrors = 0;

  constructor(options: NestedContainersOptions) {
    this.#options = options;
  }

  /** Whether there is, or was, such a container below a living one. */
  has(path: ContainerPath): boolean {
    return this.#all.has(nameOf(path)) || this.#options.findMain(path) !== undefined;
  }

  paths(): readonly { readonly path: ContainerPath; readonly pid: number | undefined }[] {
    return [...this.#all.values()]
      .filter((one) => one.end === undefined)
      .map((one) => ({ path: one.info.path, pid: one.process?.pid }));
  }

  stateFolderOf(path: ContainerPath): string {
    return join(this.#folderOf(path), 'process');
  }

  /** Resolves once it runs. Rejects when it cannot be started; it has then ended. */
  async launch(request: LaunchRequest): Promise<'launched' | 'already'> {
    const { path } = request;
    const name = nameOf(path);
    if (this.#all.has(name)) return 'already';
    if (!request.isSession) this.#options.specs.understood(request.container);
    const parent = this.#parentOf(path);
    const info: Info = {
      path,
      isSession: request.isSession,
      sandbox: this.#sandboxOf(path, parent),
      user: request.command?.user ?? parent?.user ?? '',
      hasTerminal: request.container?.tty_info !== undefined,
      hasOwnRoot: request.isSession ? parent?.hasOwnRoot === true : hasImage(request.container),
      linux: request.isSession ? parent?.linux : request.container?.linux_info,
    };
    const made = this.#remember(info);
    try {
      await this.#start(made, request, parent);
      return 'launched';
    } catch (error) {
      const message = `Failed to launch container: ${errorChain(error)}`;
      const reason = 'REASON_CONTAINER_LAUNCH_FAILED';
      this.#end(made, { state: 'TASK_FAILED', reason, message });
      throw error;
    }
  }

  async #start(
    made: Nested,
    request: LaunchRequest,
    parent: MainContainer | undefined,
  ): Promise<void> {
    const { info, folder } = made;
    const { specs, host } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await this.#write(join(folder, 'info.json'), JSON.stringify(info));
    await mkdir(dirname(info.sandbox), { recursive: true, mode: 0o755 });
    await mkdir(info.sandbox, { recursive: true, mode: 0o750 });
    const owner = await specs.identity(info.user);
    if (owner !== undefined) await chown(info.sandbox, owner.uid, owner.gid);
    const inputPath = join(folder, 'stdin');
    if (info.isSession && !info.hasTerminal) {
      await makeFifo(inputPath);
      made.input = await openInput(inputPath, 'hold');
    }
    const spec = await specs.nested({
      ...request,
      ...info,
      stateFolder: join(folder, 'process'),
      rootName: basename(folder),
      parent,
      signal: made.life.signal,
      inputPath: info.isSession || info.hasTerminal ? inputPath : undefined,
    });
    if (made.life.signal.aborted) throw new Error('it was destroyed before it started');
    const process = await host.launch(spec);
    this.#watch(made, process);
    if (made.life.signal.aborted) process.kill('SIGKILL', 'group');
  }

  async #write(path: string, text: string): Promise<void> {
    const temporary = `${path}.${this.#options.env.random.uuid()}`;
    await writeFile(temporary, text, { mode: 0o600 });
    await rename(temporary, path);
  }

  /** Undefined: no such container. Otherwise its end, once it has come. */
  wait(path: ContainerPath): Promise<Termination> | undefined {
    const found = this.#all.get(nameOf(path));
    if (found !== undefined) return found.ended.promise;
    const main = this.#options.findMain(path);
    if (main === undefined) {
      const late = this.#lateEnds.get(nameOf(path));
      return late && Promise.resolve(late);
    }
    return main.process?.exited.then(terminationOf) ?? NEVER;
  }

  /** A task's container below that of its executor has ended. */
  taskEnded(path: ContainerPath, sandbox: string, status: ExitStatus): void {
    this.#lateEnds.add(nameOf(path), terminationOf(status));
    this.#options.gc?.ended(sandbox);
  }

  /** False: there is none that runs. */
  kill(path: ContainerPath, signal: Signal): boolean {
    const found = this.#all.get(nameOf(path));
    if (found !== undefined) {
      if (found.end !== undefined) return false;
      if (signal === 'SIGKILL') this.#destroy(found);
      else found.process?.kill(signal);
      return true;
    }
    const main = this.#options.findMain(path);
    main?.process?.kill(signal, signal === 'SIGKILL' ? 'group' : 'process');
    return main !== undefined;
  }

  /** Also of what is not there. `busy`: it has not ended. */
  /** `rootless`: it is below a container that is not here. */
  async remove(path: ContainerPath): Promise<'removed' | 'busy' | 'rootless'> {
    const found = this.#all.get(nameOf(path));
    if (found?.end !== undefined) await this.#dispose(found);
    else if (found !== undefined) return 'busy';
    const wasLate = this.#lateEnds.delete(nameOf(path));
    if (found === undefined) {
      const isRootless = path.length > 1 && !wasLate && !this.has(path.slice(0, 1));
      return isRootless ? 'rootless' : 'removed';
    }
    this.#options.gc?.removedByOthers(found.info.sandbox);
    await rm(found.info.sandbox, { recursive: true, force: true });
    if (path.length === 1) {
      await rm(this.#options.paths.container(path[0] ?? ''), { recursive: true, force: true });
    }
    return 'removed';
  }

  attach(path: ContainerPath): AttachPoint | undefined {
    const found = this.#all.get(nameOf(path));
    if (found !== undefined) {
      const { info, process, input, folder, ended } = found;
      return {
        pid: process?.pid,
        resize: process?.resize,
        sandbox: info.sandbox,
        hasTerminal: info.hasTerminal,
        terminalInput: info.hasTerminal ? join(folder, 'stdin') : undefined,
        input,
        ended: ended.promise,
      };
    }
    const main = this.#options.findMain(path);
    if (main?.process === undefined) return undefined;
    return {
      pid: main.process.pid,
      resize: main.process.resize,
      sandbox: main.sandbox,
      hasTerminal: main.terminalInput !== undefined,
      terminalInput: main.terminalInput,
      input: undefined,
      ended: main.process.exited,
    };
  }

  /** Kills all below a container that ends or has ended. */
  destroyBelow(path: ContainerPath): void {
    for (const one of this.#below(path)) this.#destroy(one);
  }

  /** Forgets all below a container that is forgotten. */
  async disposeBelow(path: ContainerPath): Promise<void> {
    await Promise.all(this.#below(path).map((one) => this.#dispose(one)));
  }

  /** Of one top-level container: takes up what an earlier life had started, and ends its sessions. */
  async recover(topId: string): Promise<void> {
    const folder = this.#options.paths.nestedContainers(topId);
    for (const name of await readdir(folder).catch(() => [])) {
      await this.#recoverOne(join(folder, name));
    }
  }

  async #recoverOne(folder: string): Promise<void> {
    const { host } = this.#options;
    const text = await readFile(join(folder, 'info.json'), 'utf8').catch(() => undefined);
    const process = await host.adopt(join(folder, 'process'));
    if (text === undefined) {
      // It had not begun, and nobody was told that it had.
      await host.dispose(join(folder, 'process'));
      await rm(folder, { recursive: true, force: true });
      return;
    }
    const made = this.#remember(JSON.parse(text) as Info);
    if (process === undefined) {
      const message = 'Container was not there after the agent was restarted';
      const reason = 'REASON_CONTAINER_LAUNCH_FAILED';
      this.#end(made, { state: 'TASK_FAILED', reason, message });
      return;
    }
    this.#watch(made, process);
    if (made.info.isSession) this.#destroy(made);
  }

  /** The ids of standalone containers that an earlier life had. */
  async standaloneIds(): Promise<readonly string[]> {
    const { paths } = this.#options;
    const ids: string[] = [];
    for (const name of await readdir(paths.containers).catch(() => [])) {
      const folder = this.#folderOf([name]);
      const info = await readFile(join(folder, 'info.json'), 'utf8').catch(() => undefined);
      if (info !== undefined) ids.push(name);
    }
    return ids;
  }

  #remember(info: Info): Nested {
    const made: Nested = {
      info,
      folder: this.#folderOf(info.path),
      ended: Promise.withResolvers<Termination>(),
      end: undefined,
      process: undefined,
      input: undefined,
      life: new AbortController(),
    };
    this.#all.set(nameOf(info.path), made);
    return made;
  }

  #watch(made: Nested, process: HostProcess): void {
    made.process = process;
    void process.exited.then((status) => this.#end(made, terminationOf(status)));
  }

  #end(made: Nested, termination: Termination): void {
    if (made.end !== undefined) return;
    made.end = termination;
    made.input?.destroy();
    this.destroyBelow(made.info.path);
    made.ended.resolve(termination);
    if (made.info.path.length > 1) {
      this.#lateEnds.add(nameOf(made.info.path), termination);
      this.#options.gc?.ended(made.info.sandbox);
    }
    const { specs, env } = this.#options;
    const name = nameOf(made.info.path);
    const gone = [
      specs.removeRoots(made.info.path[0] ?? '', basename(made.folder)),
      ...(made.info.isSession ? [] : [specs.leave(name)]),
      ...(made.info.path.length === 1 ? [specs.gpus.give(name), specs.netClasses.give(name)] : []),
    ];
    Promise.all(gone).catch((error: unknown) => {
      this.removeErrors += 1;
      env.log.warn('Cannot remove what a container has left', { name, error });
    });
  }

  #destroy(made: Nested): void {
    made.life.abort();
    this.destroyBelow(made.info.path);
    made.process?.kill('SIGKILL', 'group');
  }

  async #dispose(made: Nested): Promise<void> {
    this.#destroy(made);
    await this.disposeBelow(made.info.path);
    await this.#options.host.dispose(join(made.folder, 'process'));
    await this.#options.specs.removeRoots(made.info.path[0] ?? '', basename(made.folder));
    await this.#options.specs.leave(nameOf(made.info.path));
    await rm(made.folder, { recursive: true, force: true });
    this.#all.delete(nameOf(made.info.path));
    this.#end(made, { message: 'Container was destroyed' });
  }

  #below(path: ContainerPath): Nested[] {
    const prefix = `${nameOf(path)}.`;
    return [...this.#all].filter(([name]) => name.startsWith(prefix)).map(([, one]) => one);
  }

  #parentOf(path: ContainerPath): MainContainer | undefined {
    if (path.length === 1) return undefined;
    const above = path.slice(0, -1);
    const found = this.#all.get(nameOf(above));
    if (found === undefined) return this.#options.findMain(above);
    const { process, info } = found;
    const { sandbox, user, hasOwnRoot = false, linux } = info;
    return { process, sandbox, user, terminalInput: undefined, hasOwnRoot, linux };
  }

  #sandboxOf(path: ContainerPath, parent: MainContainer | undefined): string {
    const own = path.at(-1) ?? '';
    if (parent === undefined) return this.#options.paths.standaloneSandbox(own);
    return join(parent.sandbox, 'containers', own);
  }

  /** A name of several ids may be longer than a file's name can be. */
  #folderOf(path: ContainerPath): string {
    const own = createHash('sha256').update(nameOf(path)).digest('hex');
    return join(this.#options.paths.nestedContainers(path[0] ?? ''), own);
  }
}

function terminationOf(status: ExitStatus): Termination {
  const exit_status = waitStatus(status);
  if (status.oomKilled !== true) return { exit_status };
  return {
    exit_status,
    state: 'TASK_FAILED',
    reason: 'REASON_CONTAINER_LIMITATION_MEMORY',
    message: 'Memory limit exceeded',
  };
}

/** As wait(2) encodes it. */
export function waitStatus(status: ExitStatus): number {
  return status.kind === 'exited' ? status.code << 8 : status.signal;
}
