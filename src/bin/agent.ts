// An agent as a program: detects what the machine has, starts the service on real ports, and turns
// a shutdown by the master into a new agent.
import { existsSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { availableParallelism, hostname as machineName, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { errorChain, Fault } from '#base/fault.ts';
import { ContainerdClient } from '#containerd/containerd-client.ts';
import type { Env } from '#env/env.ts';
import { steadyClock } from '#env/steady.ts';
import { ContainerdHost } from '#env/node/containerd-host.ts';
import { systemDisk } from '#env/node/disk.ts';
import { createProcessHost } from '#env/node/process-host.ts';
import { environmentFlags, namedFlags } from '#mesos/flags/flag-table.ts';
import { isAgentFlag, readFlags } from '#mesos/agent/flags.ts';
import {
  type AgentPorts,
  type AgentSettings,
  type RunningAgent,
  startAgent,
} from '#mesos/agent/service.ts';
import { detectMaster, parseMasterAddress, redacted } from '#mesos/election/master-address.ts';
import { watchTls } from '#mesos/security/tls-reload.ts';
import type { TlsSettings } from '#mesos/security/tls-settings.ts';
import { parseAttributes, parseResources } from '#mesos/resources/parse.ts';
import { prepareFolder } from '#supervisor/folder.ts';
import { onFirstProcess } from './first-launch.ts';
import { smallPartBusy } from './lean-heap.ts';
import type { RunningPart } from './part.ts';

export interface AgentCommandOptions {
  readonly master: string;
  /** The work folder. */
  readonly home: string;
  readonly host: string;
  readonly port: number;
  readonly hostname?: string | undefined;
  readonly resources?: string | undefined;
  readonly attributes?: string | undefined;
  /** `name=value` under Mesos' names; also as MESOS_NAME in the environment, which they win over. */
  readonly flag?: readonly string[] | undefined;
  /** This agent is one of so many that share the machine. */
  readonly share?: number | undefined;
  readonly shareIndex?: number | undefined;
}

const MB = 1024 * 1024;
/** It may have been started together with this agent. */
const CONTAINERD_MS_MAX = 10_000;
const MEM_RESERVE_MB = 1024;
const DISK_RESERVE_MB = 5 * 1024;
const PORTS_FIRST = 31_000;
const PORTS_LAST = 32_000;

/** As Mesos does it: a gigabyte, or half of a small machine's memory, is left to the system. */
function reserved(total: number, reserve: number): number {
  return Math.floor(total >= 2 * reserve ? total - reserve : total / 2);
}

/** What the machine has, or this agent's share of it, in the text form of --resources. */
export function detectResources(home: string, share: number, shareIndex: number): string {
  const disk = statfsSync(home);
  const diskMb = reserved((disk.blocks * disk.bsize) / MB, DISK_RESERVE_MB);
  const memMb = reserved(totalmem() / MB, MEM_RESERVE_MB);
  const portCount = Math.floor((PORTS_LAST - PORTS_FIRST + 1) / share);
  const firstPort = PORTS_FIRST + shareIndex * portCount;
  return [
    `cpus:${Math.round((availableParallelism() / share) * 1000) / 1000}`,
    `mem:${Math.floor(memMb / share)}`,
    `disk:${Math.floor(diskMb / share)}`,
    `ports:[${firstPort}-${firstPort + portCount - 1}]`,
  ].join(';');
}

/** What is named stands, what is not is detected. */
function resourcesText(options: AgentCommandOptions): string {
  const detected = detectResources(options.home, options.share ?? 1, options.shareIndex ?? 0);
  const given = options.resources;
  if (given === undefined || given === '') return detected;
  if (given.trimStart().startsWith('[')) return given;
  const names = new Set(given.split(';').map((part) => part.split(/[(:]/)[0]?.trim()));
  const missing = detected.split(';').filter((part) => !names.has(part.split(':')[0]));
  return [given.replace(/;+\s*$/, ''), ...missing].join(';');
}

function settingsOf(options: AgentCommandOptions, tls: TlsSettings | undefined): AgentSettings {
  const home = resolve(options.home);
  const resources = resourcesText({ ...options, home });
  const hostname = options.hostname ?? machineName();
  return {
    masterAddress: undefined,
    workFolder: home,
    host: options.host,
    port: options.port,
    hostname,
    tls,
    resources: parseResources(resources),
    attributes: parseAttributes(options.attributes ?? ''),
    options: {
      ...environmentFlags(process.env, isAgentFlag),
      ...namedFlags(options.flag ?? []),
    },
    flags: {
      master: redacted(options.master),
      work_dir: home,
      ip: options.host,
      port: String(options.port),
      hostname,
      resources,
      attributes: options.attributes ?? '',
    },
  };
}

/** The pid of a living agent in this folder, if there is one. */
function ownerOf(lock: string): number | undefined {
  if (!existsSync(lock)) return undefined;
  const pid = Number(readFileSync(lock, 'utf8'));
  try {
    process.kill(pid, 0);
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return pid !== process.pid && words.includes('agent') ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Two agents in one folder would take each other's tasks for their own. */
function lockHome(home: string): string {
  const lock = join(home, 'run', 'agent.pid');
  const pid = ownerOf(lock);
  if (pid !== undefined) {
    throw new Fault(
      { code: 'home-in-use', path: home, pid },
      `Cannot use the agent's folder "${home}": the agent with pid ${pid} does`,
    );
  }
  writeFileSync(lock, String(process.pid));
  return lock;
}

function unlock(lock: string): void {
  try {
    rmSync(lock, { force: true });
  } catch {
    // The disk is what ended it. The next agent sees that nobody has that pid.
  }
}

function usedContainerd(marker: string): { socket: string; namespace: string } | undefined {
  if (!existsSync(marker)) return undefined;
  return JSON.parse(readFileSync(marker, 'utf8')) as { socket: string; namespace: string };
}

/** Containers of containerd's are run beside all others where it is among the containerizers. */
async function hostsOf(
  { options = {}, workFolder }: AgentSettings,
  env: Env,
): Promise<Pick<AgentPorts, 'host' | 'containerd'> & { close(): void }> {
  const plain = createProcessHost(env);
  const { containerizers, containerd } = readFlags(options);
  const isEnabled = containerizers.enabled.includes('containerd');
  const marker = join(workFolder, 'run', 'containerd.json');
  // Containers of an earlier life are this agent's, though it makes no more of them.
  const used = isEnabled ? containerd : usedContainerd(marker);
  if (used === undefined) return { host: plain, close: () => {} };
  const { socket, namespace } = used;
  if (isEnabled) writeFileSync(marker, JSON.stringify({ socket, namespace }));
  const client = new ContainerdClient(socket, namespace);
  const name = 'containerizers';
  try {
    await client.call('version.v1.Version/Version', {}, { timeoutMs: CONTAINERD_MS_MAX });
  } catch (cause) {
    client.close();
    const earlier = isEnabled
      ? ''
      : `, and containers of this agent may be there (see "${marker}")`;
    const why = `containerd does not answer at "${socket}"${earlier}: ${errorChain(cause)}`;
    throw new Fault({ code: 'bad-flag', name }, `Cannot start: flag "${name}": ${why}`, { cause });
  }
  const host = new ContainerdHost({ ...env, client, plain });
  return { host, containerd: client, close: () => host.close() };
}

export async function runAgent(
  options: AgentCommandOptions,
  given: Env,
  onVerbosity: (level: number) => void,
): Promise<RunningPart> {
  parseMasterAddress(options.master);
  // Whoever sets the machine's clock ends no executor and keeps no kill waiting.
  const env = { ...given, clock: steadyClock(given.clock) };
  const home = resolve(options.home);
  // Tasks of other users reach their sandboxes through it; what else is in it is closed to them.
  prepareFolder(home, { mode: 0o711 });
  prepareFolder(join(home, 'run'));
  const lock = lockHome(home);
  const tls = watchTls(process.env, env);
  const settings = { ...settingsOf(options, tls.settings), onVerbosity };
  const hosts = await hostsOf(settings, env);
  const host = onFirstProcess(hosts.host, smallPartBusy);
  const ports = { env, disk: systemDisk, ...hosts, host };
  const ended = Promise.withResolvers<number>();
  const running: RunningAgent = await startAgent(settings, ports);
  if (readFlags(settings.options ?? {}).recovers === 'cleanup') {
    // What an earlier life left running ends; no master hears of this one.
    await running.leave();
    hosts.close();
    unlock(lock);
    return { url: running.url, ended: Promise.resolve(), close: () => Promise.resolve() };
  }
  const detector = await detectMaster(
    options.master,
    (address) => running.shell.masterDetected(address),
    env,
  );
  let isClosing = false;
  const watch = (agent: RunningAgent): void => {
    void agent.ended.then(async ({ isFailure }) => {
      if (!isClosing) {
        await agent.close();
        hosts.close();
      }
      ended.resolve(isFailure ? 1 : 0);
    });
  };
  watch(running);
  return {
    url: running.url,
    ended: ended.promise,
    async close(how) {
      isClosing = true;
      tls.close();
      await detector.close();
      if (how?.killTasks === true) await running.leave();
      else await running.close();
      hosts.close();
      unlock(lock);
    },
  };
}
