// A master (a real Mesos 1.11 one, or Strata's) and one agent (Strata's, or a real one) as processes of
// their own, for the tests of agents.
import { freePort } from './free-port.ts';
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { eventually, root } from './cluster.ts';

export const realMaster = join(
  process.env['STRATA_REAL_MESOS'] ?? '/tmp/real-mesos',
  'real-mesos-master',
);
const strata = join(root, 'src/bin/strata.ts');

function start(
  command: readonly string[],
  vars: Readonly<Record<string, string>> = {},
  log?: string | undefined,
): ChildProcess {
  const output = log === undefined ? 'ignore' : openSync(log, 'a');
  return spawn(command[0] ?? '', command.slice(1), {
    env: { ...process.env, ...vars },
    stdio: ['ignore', output, output],
  });
}

export async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((done) => child.once('exit', done));
  child.kill(signal);
  await gone;
}

/** The real master where it is installed. */
export const bestMaster: 'real' | 'own' = existsSync(realMaster) ? 'real' : 'own';

/** What a real agent needs to run command tasks without cgroups and without systemd. */
export const REAL_AGENT = {
  NUM_SLAVES: '1',
  LIBPROCESS_IP: '127.0.0.1',
  MESOS_LAUNCHER: 'posix',
  MESOS_ISOLATION: 'posix/cpu,posix/mem,filesystem/posix',
  MESOS_SYSTEMD_ENABLE_SUPPORT: 'false',
  MESOS_LAUNCHER_DIR: join(dirname(realMaster), 'launcher'),
};

function variablesOf(flags: Readonly<Record<string, string>>): Record<string, string> {
  const all = Object.entries(flags);
  return Object.fromEntries(all.map(([name, value]) => [`MESOS_${name.toUpperCase()}`, value]));
}

/** By it the agent in that folder tells its groups and its secrets from others' of the machine. */
function hashOf(folder: string): string {
  return createHash('sha256').update(join(folder, 'agent')).digest('hex');
}

/** Cgroups and mounts of an agent in that folder, and processes that name it. */
function leftovers(folder: string): readonly string[] {
  const hash = hashOf(folder).slice(0, 12);
  const roots = existsSync('/sys/fs/cgroup') ? readdirSync('/sys/fs/cgroup') : [];
  // Version 2 has no folder for each controller.
  const groups = ['.', ...roots].map((name) => `/sys/fs/cgroup/${name}/strata/agent-${hash}`);
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  const mounted = mounts.map((line) => line.split(' ')[1] ?? '').filter(isBelow(folder));
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const shims = pids.filter((pid) => commandOf(pid).some(isBelow(`${folder}/agent/run`)));
  return [...groups.filter(existsSync), ...mounted, ...shims.map((pid) => `process ${pid}`)];
}

function isBelow(folder: string): (path: string) => boolean {
  return (path) => path.startsWith(`${folder}/`);
}

function commandOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

export class AgentMachine {
  readonly folder = mkdtempSync(join(tmpdir(), 'strata-agent-'));
  readonly kind: 'real' | 'own';
  masterPort = 0;
  agentPort = 0;
  master!: ChildProcess;
  agent!: ChildProcess;

  readonly agentKind: 'real' | 'own';
  /** Under Mesos' names, beside those that every test needs. */
  masterFlags: Readonly<Record<string, string>> = {};
  agentFlags: Readonly<Record<string, string>> = {};
  /** Words before the agent's command: whom it runs as. */
  agentPrefix: readonly string[] = [];
  /** How the test may look at the master. */
  authorization: string | undefined;

  constructor(kind: 'real' | 'own', agentKind: 'real' | 'own' = 'own') {
    this.kind = kind;
    this.agentKind = agentKind;
  }

  get masterUrl(): string {
    return `http://127.0.0.1:${this.masterPort}`;
  }

  /** Where an agent of root's keeps the secrets of its tasks. */
  get secretsFolder(): string {
    return `/dev/shm/strata-secrets-${hashOf(this.folder).slice(0, 16)}`;
  }

  /** `more`: further options of the agent's command line. */
  async start(more: readonly string[] = []): Promise<void> {
    this.masterPort = await freePort();
    this.agentPort = await freePort();
    this.startMaster();
    this.startAgent(more);
    await this.agentActive();
  }

  startMaster(): void {
    const port = String(this.masterPort);
    const work = join(this.folder, 'master');
    this.master =
      this.kind === 'real'
        ? start([realMaster], {
            WORK_DIR: work,
            LIBPROCESS_IP: '127.0.0.1',
            LIBPROCESS_PORT: port,
            MESOS_REGISTRY: 'in_memory',
            MESOS_ALLOCATION_INTERVAL: '100ms',
            ...variablesOf(this.masterFlags),
          })
        : start(
            [process.execPath, strata, 'master', '--home', work, '--port', port],
            variablesOf(this.masterFlags),
            join(this.folder, 'master.log'),
          );
  }

  get agentUrl(): string {
    const url = `http://127.0.0.1:${this.agentPort}`;
    return this.agentKind === 'real' ? `${url}/slave(1)` : url;
  }

  /** `more`: further options of the agent's command line. */
  startAgent(more: readonly string[] = []): void {
    const [master, port] = [`127.0.0.1:${this.masterPort}`, String(this.agentPort)];
    const resources = 'cpus:8;mem:4096;disk:1000;ports:[31000-31100]';
    const home = join(this.folder, 'agent');
    const options = ['--master', master, '--home', home, '--port', port, '--resources', resources];
    const log = join(this.folder, 'agent.log');
    if (this.agentKind === 'real') {
      this.agent = start(
        [realMaster],
        {
          ...REAL_AGENT,
          AGENT_MASTER: master,
          WORK_DIR: home,
          LIBPROCESS_PORT: port,
          MESOS_RESOURCES: resources,
          ...variablesOf(this.agentFlags),
        },
        log,
      );
      return;
    }
    const own = [process.execPath, strata, 'agent', ...options, ...more];
    const command = [...this.agentPrefix, ...own];
    this.agent = start(command, variablesOf(this.agentFlags), log);
  }

  async agentActive(): Promise<void> {
    await eventually('the agent is active', async () => {
      const answer = await this.ask('/slaves');
      const { slaves } = (await answer.json()) as { slaves: { active: boolean }[] };
      return slaves.some((one) => one.active) ? true : undefined;
    });
  }

  /** Of the master. */
  ask(path: string): Promise<Response> {
    const { authorization } = this;
    const headers = authorization === undefined ? {} : { authorization };
    return fetch(this.masterUrl + path, { headers });
  }

  /** Ends both, and the agent's tasks. Rejects when it has left something behind. */
  async close(): Promise<void> {
    const leaves = this.agentKind === 'own' && this.agent.exitCode === null;
    await stop(this.agent, this.agentKind === 'real' ? 'SIGKILL' : 'SIGUSR1');
    const left = (): readonly string[] =>
      leaves && this.agent.signalCode === null ? leftovers(this.folder) : [];
    // What was told to end may take the kernel a moment longer.
    await eventually('nothing is left', async () => left().length === 0).catch(() => {});
    const stays = left();
    await stop(this.master, 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
    if (stays.length > 0) throw new Error(`The agent has left ${stays.join(', ')}`);
  }
}
