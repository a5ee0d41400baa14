// Rounds of a crash suite: tasks are launched on one agent, somebody is killed, the agent comes back, and
// every task has run once at most, has ended once, and nothing of it is left.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { createEnv } from '#env/node/env.ts';
import type { TaskStatus } from '#wire/mesos/v1.ts';
import { AgentMachine, stop } from '#test/support/agent-machine.ts';
import { freePort } from '#test/support/free-port.ts';
import { eventually, root } from '#test/support/cluster.ts';
import { type AskedTask, TestFramework } from '#test/support/framework.ts';
import { mesosGoExecutor } from '#test/support/v0-executors.ts';
import { type CrashPoint, crashPointText } from './crash-point.ts';

const env = createEnv({ component: 'crash', logLevel: 'error', logFormat: 'text' });
const TERMINAL = /^TASK_(FINISHED|FAILED|KILLED|DROPPED|GONE|LOST)$/;
const SYSTEMATIC = { disk: 90, process: 20 } as const;

/** Who is killed in a round, and when. */
export type Crash =
  | {
      readonly kind: 'agent-at';
      readonly point: CrashPoint;
      readonly again: CrashPoint | undefined;
    }
  | { readonly kind: 'agent' | 'shim' | 'command'; readonly afterMs: number };

export function crashText(crash: Crash): string {
  if (crash.kind !== 'agent-at') return `${crash.kind} after ${Math.round(crash.afterMs)} ms`;
  const { point, again } = crash;
  const then = again === undefined ? '' : `, then ${crashPointText(again)}`;
  return `agent at ${crashPointText(point)}${then}`;
}

/** Every point once, then whatever chance says. */
export function crashOf(round: number, chance: () => number): Crash {
  const points = Object.entries(SYSTEMATIC).flatMap(([port, steps]) =>
    Array.from({ length: steps }, (_, step) =>
      (['before', 'after'] as const).map((when): CrashPoint => ({
        port: port as 'disk',
        step: step + 1,
        when,
      })),
    ).flat(),
  );
  const point = points[round];
  if (point !== undefined) return { kind: 'agent-at', point, again: undefined };
  const pick = (): CrashPoint => points[Math.floor(chance() * points.length)] as CrashPoint;
  const kinds = ['agent', 'agent', 'shim', 'command', 'agent-at', 'agent-at'] as const;
  const kind = kinds[Math.floor(chance() * kinds.length)] ?? 'agent';
  if (kind === 'agent-at')
    return { kind, point: pick(), again: chance() < 0.5 ? pick() : undefined };
  return { kind, afterMs: chance() * 1_000 };
}

export const systematicRounds = 2 * (SYSTEMATIC.disk + SYSTEMATIC.process);

/** A seeded source of chance (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Planned {
  readonly id: string;
  /** Undefined: a task of the executor on a driver. */
  readonly script: string | undefined;
  /** What its end says when nobody has killed it. */
  readonly end: 'TASK_FINISHED' | 'TASK_FAILED' | 'TASK_KILLED';
}

export class CrashSuite {
  readonly #machine: AgentMachine;
  readonly #program: string;
  /** An executor on mesos-go's driver; undefined where it cannot be built. */
  readonly #driver: readonly string[] | undefined;
  readonly #log: string;
  #framework!: TestFramework;
  #agent!: ChildProcess;
  #port = 0;
  /** How often an agent died by its crash point. */
  crashes = 0;

  private constructor(machine: AgentMachine, driver: readonly string[] | undefined) {
    this.#machine = machine;
    this.#driver = driver;
    this.#program = join(machine.folder, 'dying-agent.mjs');
    this.#log = join(machine.folder, 'starts');
    writeFileSync(this.#log, '');
  }

  static async start(kind: 'real' | 'own'): Promise<CrashSuite> {
    const machine = new AgentMachine(kind);
    const driver = await mesosGoExecutor();
    const suite = new CrashSuite(machine, driver.ok ? driver.command : undefined);
    await build({
      absWorkingDir: root,
      entryPoints: [join(root, 'test/crash/dying-agent.ts')],
      outfile: suite.#program,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node26',
      logLevel: 'warning',
      external: ['@lydell/node-pty'],
      banner: {
        js: "import { createRequire as c } from 'node:module';const require = c(import.meta.url);",
      },
    });
    machine.masterPort = await freePort();
    suite.#port = await freePort();
    machine.startMaster();
    suite.#startAgent(undefined);
    await machine.agentActive();
    suite.#framework = new TestFramework(machine.masterUrl, env);
    // A task that was dropped with its offer has ended; started again it would be told twice.
    suite.#framework.triesAgain = false;
    return suite;
  }

  get #home(): string {
    return join(this.#machine.folder, 'agent');
  }

  #startAgent(point: CrashPoint | undefined): void {
    mkdirSync(this.#home, { recursive: true });
    const log = openSync(join(this.#machine.folder, 'agent.log'), 'a');
    const master = `127.0.0.1:${this.#machine.masterPort}`;
    const text = point === undefined ? 'never' : crashPointText(point);
    const args = [this.#program, master, this.#home, String(this.#port), text];
    this.#agent = spawn(process.execPath, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#machine.agent = this.#agent;
  }

  get #isAgentDead(): boolean {
    return this.#agent.exitCode !== null || this.#agent.signalCode !== null;
  }

  /** Rejects with what went wrong; `number` names the round's tasks. */
  async round(number: number, crash: Crash): Promise<void> {
    if (crash.kind === 'agent-at') {
      await stop(this.#agent, 'SIGKILL');
      this.#startAgent(crash.point);
    }
    const tasks = this.#plan(number);
    const victim = tasks[number % tasks.length] as Planned;
    this.#launch(number, tasks);
    await this.#strike(crash, victim);
    await this.#see(tasks, crash);
    for (const one of tasks) {
      const isHitWith = isIn('d', one) && isIn('d', victim);
      this.#check(one, crash, one === victim || isHitWith);
    }
    await this.#nothingIsLeft(tasks);
  }

  #plan(number: number): readonly Planned[] {
    const start = (id: string): string => `echo ${id} >>${this.#log}`;
    const made = (name: string, rest: string, end: Planned['end']): Planned => {
      const id = `r${number}-${name}`;
      return { id, script: `${start(id)}; ${rest}`, end };
    };
    return [
      made('ok', 'exit 0', 'TASK_FINISHED'),
      made('bad', 'sleep 0.1; exit 3', 'TASK_FAILED'),
      made('later', 'sleep 0.3; exit 0', 'TASK_FINISHED'),
      made('long', 'exec sleep 600', 'TASK_KILLED'),
      made('g1', 'sleep 0.2; exit 0', 'TASK_FINISHED'),
      made('g2', 'exit 0', 'TASK_FINISHED'),
      ...(this.#driver === undefined ? [] : this.#onDriver(number)),
    ];
  }

  #onDriver(number: number): Planned[] {
    return ['d1', 'd2'].map((name) => ({
      id: `r${number}-${name}`,
      script: undefined,
      end: 'TASK_FINISHED',
    }));
  }

  /** The three plain ones, one that is killed when the others have ended, a group, and those on a driver. */
  #launch(number: number, tasks: readonly Planned[]): void {
    const group = tasks.filter((one) => isIn('g', one));
    const onDriver = tasks.filter((one) => isIn('d', one));
    this.#framework.launch(tasks.filter((one) => !group.includes(one) && !onDriver.includes(one)));
    const executor_id = { value: `r${number}-executor` };
    this.#framework.launchGroup({ type: 'DEFAULT', executor_id }, group);
    if (onDriver.length > 0) this.#framework.launch(this.#driverTasks(number, onDriver));
  }

  /** One ends at once, the other after a while. */
  #driverTasks(number: number, tasks: readonly Planned[]): AskedTask[] {
    const command = [...(this.#driver ?? [])];
    const variables = [{ name: 'STARTS', value: this.#log }];
    const executor: AskedTask['executor'] = {
      type: 'CUSTOM',
      executor_id: { value: driverExecutorOf(number) },
      command: {
        shell: false,
        value: command[0] ?? '',
        arguments: command,
        environment: { variables },
      },
    };
    return tasks.map(({ id }, at) => {
      const data = at === 0 ? 'finish' : 'finish-after 1000';
      return { id, data: new TextEncoder().encode(data), executor };
    });
  }

  async #strike(crash: Crash, victim: Planned): Promise<void> {
    if (crash.kind === 'agent-at') return;
    await new Promise((done) => setTimeout(done, crash.afterMs));
    if (crash.kind === 'agent') {
      await stop(this.#agent, 'SIGKILL');
      return;
    }
    for (const { pid, line } of processes()) {
      if (!line.includes('strata-shim') || !line.includes(this.#home)) continue;
      const isOnDriver = victim.script === undefined;
      const mark = isOnDriver ? (this.#driver?.[0] ?? '') : `echo ${victim.id} `;
      if (!line.includes(mark)) continue;
      const target = crash.kind === 'shim' ? pid : childOf(pid);
      if (target !== undefined) tryKill(target);
    }
  }

  /** Until every task has ended; the agent is started again as often as it dies. */
  async #see(tasks: readonly Planned[], crash: Crash): Promise<void> {
    let again = crash.kind === 'agent-at' ? crash.again : undefined;
    let killedIn = -1;
    const isOpen = ({ id }: Planned): boolean => !this.#states(id).some((it) => TERMINAL.test(it));
    const look = async (): Promise<true | undefined> => {
      if (this.#isAgentDead) {
        this.crashes += 1;
        this.#startAgent(again);
        again = undefined;
      }
      const [only, ...others] = tasks.filter(isOpen);
      if (only === undefined) return true;
      const isKillable = only.end === 'TASK_KILLED' && this.#states(only.id).length > 0;
      // An agent may die with a kill that it was told of: each of its lives is told.
      if (others.length === 0 && isKillable && killedIn !== this.crashes) {
        this.#framework.kill(only.id);
        killedIn = this.crashes;
      }
      return undefined;
    };
    try {
      await eventually('every task has ended', look, 90_000);
    } catch (error) {
      const told = tasks.map(({ id }) => `${id}: ${this.#states(id).join()}`).join('; ');
      throw new Error(`Not all ended: ${told}`, { cause: error });
    }
    if (this.#isAgentDead) this.#startAgent(undefined);
  }

  #states(id: string): readonly string[] {
    return this.#framework.statesOf(id);
  }

  #updates(id: string): readonly TaskStatus[] {
    return this.#framework.updates.filter((one) => one.task_id.value === id);
  }

  #check({ id, end }: Planned, crash: Crash, isVictim: boolean): void {
    const states = this.#states(id);
    const told = `${id} of "${crashText(crash)}": ${states.join(', ')}`;
    const ends = states.filter((one) => TERMINAL.test(one));
    const runs = readFileSync(this.#log, 'utf8')
      .split('\n')
      .filter((one) => one === id).length;
    // Each life of an agent answers for a task that it does not know; those answers are passed on.
    const [first, ...more] = ends;
    const others = more.filter((one) => one !== 'TASK_DROPPED' || first !== 'TASK_DROPPED');
    assert.deepEqual(others, [], `it ended once: ${told}`);
    assert.ok(runs <= 1, `it ran once: ${told}`);
    const before = states.slice(0, states.indexOf(first ?? ''));
    assert.deepEqual(before, [...new Set(before)], `nothing is told twice: ${told}`);
    if (first === 'TASK_DROPPED') assert.equal(runs, 0, `what was dropped never ran: ${told}`);
    else if (runs === 1 && first !== end) {
      const { message = '' } = this.#updates(id).find((one) => one.state === first) ?? {};
      const wasHit = isVictim && (crash.kind === 'shim' || crash.kind === 'command');
      // Of a group, the other is killed when one is hit, or has failed before it ran.
      const isInGroup = isIn('g', { id }) && first === 'TASK_KILLED';
      const isDriven =
        isIn('d', { id }) && first === 'TASK_FAILED' && endsDriver(crash, before, message);
      assert.ok(wasHit || isInGroup || isDriven, `its end is its own: ${told} (${message})`);
    }
  }

  /** An executor on a driver stays until somebody ends it. */
  #shutDown(tasks: readonly Planned[]): void {
    const status = tasks.flatMap((one) => (isIn('d', one) ? this.#updates(one.id) : []))[0];
    if (status?.agent_id === undefined) return;
    const [, number = ''] = /^r(\d+)-/.exec(status.task_id.value) ?? [];
    const executor_id = { value: driverExecutorOf(Number(number)) };
    const shutdown = { executor_id, agent_id: status.agent_id };
    this.#framework.call({ type: 'SHUTDOWN', shutdown });
  }

  async #nothingIsLeft(tasks: readonly Planned[]): Promise<void> {
    const containers = join(this.#home, 'run/containers');
    await eventually(
      'nothing is left of what has ended',
      async () => {
        if (this.#isAgentDead) this.#startAgent(undefined);
        if (existsSync(containers) && readdirSync(containers).length > 0) {
          this.#shutDown(tasks);
          return undefined;
        }
        const shims = processes().filter(
          ({ line }) => line.includes('strata-shim') && line.includes(this.#home),
        );
        return shims.length === 0 ? true : undefined;
      },
      60_000,
    );
    const mounts = readFileSync('/proc/self/mounts', 'utf8');
    assert.ok(!mounts.includes(this.#home), 'nothing is mounted');
    const groups = `/sys/fs/cgroup/memory/strata/agent-${this.#port}`;
    if (existsSync(groups)) {
      const left = readdirSync(groups, { withFileTypes: true }).filter((one) => one.isDirectory());
      assert.deepEqual(left, [], 'no cgroup is left');
    }
  }

  /** The agent's last words, for whom a round has failed. */
  log(): string {
    const text = readFileSync(join(this.#machine.folder, 'agent.log'), 'utf8');
    return text.split('\n').slice(-40).join('\n');
  }

  note(line: string): void {
    appendFileSync(join(this.#machine.folder, 'rounds'), `${line}\n`);
  }

  async close(): Promise<void> {
    await this.#framework?.close();
    if (this.#isAgentDead) this.#startAgent(undefined);
    await stop(this.#agent, 'SIGKILL');
    await this.#machine.close();
  }
}

/** `g`: of the group; `d`: on a driver. */
function isIn(letter: 'g' | 'd', { id }: Pick<Planned, 'id'>): boolean {
  return new RegExp(`-${letter}\\d$`).test(id);
}

/**
 * A driver that has not heard yet that it is registered, or registered again, ends itself with its agent; so
 * Mesos' do (`ExecutorProcess::exited`). mesos-go's does as well at the second error of its connection: when it
 * has something to say while a slow machine has not started the agent again. `before`: what was told of a task until
 * then; `message`: of its end.
 */
function endsDriver(crash: Crash, before: readonly string[], message: string): boolean {
  if (before.length === 0 || (crash.kind === 'agent-at' && crash.again !== undefined)) return true;
  const agentDied = crash.kind === 'agent' || crash.kind === 'agent-at';
  return agentDied && message === 'Executor exited with status 0';
}

function driverExecutorOf(round: number): string {
  return `r${round}-driver`;
}

function processes(): { readonly pid: number; readonly line: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), line: textOf(`/proc/${name}/cmdline`) }));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

function childOf(pid: number): number | undefined {
  const child = textOf(`/proc/${pid}/task/${pid}/children`).trim().split(' ')[0];
  return child === undefined || child === '' ? undefined : Number(child);
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself meanwhile.
  }
}
