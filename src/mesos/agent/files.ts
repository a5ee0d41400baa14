// Files of sandboxes over HTTP: browse, read and download, under their own paths and under the names that Mesos
// gives them; nothing outside of a sandbox, not even by a symbolic link.
import { readdir, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { ServerResponse } from 'node:http';
import {
  accountNames,
  fileInfo,
  noSuchFile,
  readPart,
  sendFile,
} from '#mesos/libprocess/file-info.ts';
import type { Outcome, SharedFiles } from '#mesos/libprocess/process-api.ts';
import type { Refusal } from '#mesos/libprocess/refusal.ts';
import type { FileInfo } from '#wire/mesos/v1.ts';
import type { AgentAccess } from './access.ts';
import type { Executor } from './agent-state.ts';
import type { AgentCore } from './core.ts';
import type { AgentPaths } from './paths.ts';

/** Under which the agent's own log is shown, if it is kept in a file (--external_log_file). */
const LOG_NAME = '/slave/log';

/** `/frameworks/FRAMEWORK/executors/EXECUTOR/runs/latest`: without the agent's folder before it. */
const virtualRun = /^(\/frameworks\/[^/]+\/executors\/[^/]+\/runs\/latest)(\/.*)?$/;
/** `…/slaves/AGENT/frameworks/FRAMEWORK/executors/EXECUTOR/runs/RUN`, below the work folder. */
const realRun = /^(\/[^/]+\/frameworks\/[^/]+\/executors\/[^/]+\/runs\/[^/]+)(\/.*)?$/;

function found(path: string | undefined): Outcome<string> {
  return path === undefined ? noSuchFile : { value: path };
}

function wrong(message: string): { readonly problem: Refusal } {
  return { problem: { status: 400, message } };
}

export class SandboxFiles implements SharedFiles<AgentAccess> {
  readonly #paths: AgentPaths;
  readonly #core: AgentCore;
  readonly #log: string | undefined;

  constructor(paths: AgentPaths, core: AgentCore, log?: string) {
    this.#paths = paths;
    this.#core = core;
    this.#log = log;
  }

  debug(): Record<string, string> {
    const shown: Record<string, string> = {};
    if (this.#log !== undefined) shown[LOG_NAME] = this.#log;
    const { frameworks, completedFrameworks } = this.#core.workloads;
    for (const framework of [...frameworks.values(), ...completedFrameworks]) {
      const runs = [...framework.completedExecutors, ...framework.executors.values()];
      for (const executor of runs) this.#showRun(shown, executor);
    }
    return shown;
  }

  #showRun(shown: Record<string, string>, { key, containerId }: Executor): void {
    const runs = this.#paths.executorSandboxes(this.#core.agentId ?? '', key);
    const folder = this.#paths.sandbox(this.#core.agentId ?? '', key, containerId);
    const virtual = runs.slice(runs.indexOf('/frameworks/', this.#paths.work.length));
    for (const name of [folder, join(runs, 'latest'), join(virtual, 'latest')]) {
      shown[name] = folder;
    }
  }

  /** The real path behind a name. HttpProblem 403 */
  async #resolve(given: string, access: AgentAccess): Promise<Outcome<string>> {
    const name = withoutEnd(given);
    if (name === LOG_NAME && this.#log !== undefined) {
      access.requireLog();
      return found(await realpath(this.#log).catch(() => undefined));
    }
    const root = join(this.#paths.work, 'slaves');
    const virtual = virtualRun.exec(name);
    const real = name.startsWith(root + sep) ? realRun.exec(name.slice(root.length)) : null;
    const [, run, rest = ''] = virtual ?? real ?? [];
    if (run === undefined) return noSuchFile;
    const folder = virtual === null ? root + run : join(root, this.#core.agentId ?? '', run);
    const sandbox = await realpath(folder).catch(() => undefined);
    const path = await realpath(folder + rest).catch(() => undefined);
    if (sandbox === undefined || path === undefined) return noSuchFile;
    if (path !== sandbox && !path.startsWith(sandbox + sep)) {
      return wrong(`'${sandbox}${rest}' is inaccessible.\n`);
    }
    access.requireSandbox(path);
    return found(path);
  }

  async list(name: string, access: AgentAccess): Promise<Outcome<FileInfo[]>> {
    const resolved = await this.#resolve(name, access);
    if ('problem' in resolved) return resolved;
    const path = resolved.value;
    const names = await accountNames();
    // Of a file that is none Mesos tells nothing, and no error.
    const entries = (await readdir(path).catch(() => [])).toSorted();
    const infos = entries.map((one) =>
      fileInfo(join(path, one), `${withoutEnd(name)}/${one}`, names).catch(() => undefined),
    );
    return { value: (await Promise.all(infos)).filter((one) => one !== undefined) };
  }

  async read(
    name: string,
    offset: number | undefined,
    length: number | undefined,
    access: AgentAccess,
  ): Promise<Outcome<{ readonly size: number; readonly data: Buffer }>> {
    const resolved = await this.#resolve(name, access);
    return 'problem' in resolved ? resolved : readPart(resolved.value, offset, length);
  }

  async download(
    name: string,
    response: ServerResponse,
    access: AgentAccess,
  ): Promise<Refusal | undefined> {
    const resolved = await this.#resolve(name, access);
    return 'problem' in resolved ? resolved.problem : sendFile(resolved.value, response);
  }
}

function withoutEnd(name: string): string {
  return name.replace(/\/+$/, '');
}
