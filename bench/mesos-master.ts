// A master of either side, fresh, and the load generator of the Mesos peer against it: the same client
// measures both. The generator prints one JSON line a step, which is read here and judged by the caller.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '#test/support/cluster.ts';
import type { Measure, Side } from './benchmark.ts';
import { absent, mesosPeer } from './peers.ts';
import { Program } from './program.ts';
import { freePort } from '#test/support/free-port.ts';

export const bundle = join(import.meta.dirname, '../build/strata/strata.js');

/** One line of the generator: `step` and numbers, as its README describes them. */
export interface Step {
  readonly step: string;
  readonly failed?: boolean;
  readonly [field: string]: unknown;
}

export interface MasterLoad {
  readonly agents: number;
  /** Steps in the generator's own words, after the agents have registered. */
  readonly steps: readonly string[];
  /** Seconds for which declining frameworks are watched. */
  readonly windowSeconds?: number;
  /** As a program's option of the name. */
  readonly isUndisturbed?: boolean;
  /** Called again and again, a second apart, with what /metrics/snapshot says while the steps run. */
  readonly onMetrics?: (metrics: Readonly<Record<string, number>>) => void;
}

const STEP_LIMIT_SECONDS = 300;
const METRICS_PAUSE_MS = 1_000;

export function missingMesos(side: Side): string | undefined {
  if (side === 'peer') {
    return absent([mesosPeer.master, mesosPeer.loadgen], 'STRATA_BENCH_MESOS');
  }
  if (!existsSync(bundle)) return `no ${bundle} (run node tools/bundle.ts)`;
  return absent([mesosPeer.loadgen], 'STRATA_BENCH_MESOS');
}

export interface MasterStart {
  /** Of this program, where more is needed than Node gives by itself. */
  readonly heapMb?: number;
  readonly isUndisturbed?: boolean | undefined;
}

export async function startMaster(
  side: Side,
  port: number,
  { heapMb, isUndisturbed }: MasterStart = {},
): Promise<Program> {
  const heap = heapMb === undefined ? [] : [`--max-old-space-size=${heapMb}`];
  const ours = (home: string): string[] => {
    return [process.execPath, ...heap, bundle, 'master', '--home', home, '--port', String(port)];
  };
  const program =
    side === 'strata'
      ? new Program({ command: ours, isUndisturbed })
      : new Program({
          isUndisturbed,
          command: (folder) => ['sh', '-c', `WORK_DIR=${folder}/work exec ${mesosPeer.master}`],
          env: {
            LIBPROCESS_IP: '127.0.0.1',
            LIBPROCESS_PORT: String(port),
            MESOS_REGISTRY: 'replicated_log',
            LOG_LEVEL: '0',
          },
        });
  try {
    await program.ready(async () => (await fetch(`http://127.0.0.1:${port}/health`)).ok);
    // While it recovers, a real master drops what agents send, and answers its metrics all the same.
    await program.ready(async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/metrics/snapshot`);
      const metrics = (await answer.json()) as Record<string, number>;
      return side === 'strata' || (metrics['master/elected'] === 1 && (await isRecovered(port)));
    });
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw error;
  }
  return program;
}

/** A master that recovers answers reads of its state by 503 or with no leader. */
async function isRecovered(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ type: 'GET_AGENTS' }),
  });
  await answer.body?.cancel();
  return answer.ok;
}

/**
 * What the generator prints when it ends of itself: it closes its queue of calls once TEARDOWN is answered, while
 * its reader may still hold an event to answer. A defect of the instrument says nothing of a master: run again.
 */
const GENERATOR_DEFECT = 'panic: send on closed channel';
const ATTEMPTS = 3;

/** Runs the steps against a fresh master of the side; gives the generator's lines. */
export async function loadMaster(side: Side, load: MasterLoad): Promise<Step[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await loadOnce(side, load);
    } catch (error) {
      if (attempt === ATTEMPTS || !String(error).includes(GENERATOR_DEFECT)) throw error;
    }
  }
}

async function loadOnce(side: Side, load: MasterLoad): Promise<Step[]> {
  const port = await freePort();
  await using master = await startMaster(side, port, { isUndisturbed: load.isUndisturbed });
  const steps = ['register', 'settle', ...load.steps].join(',');
  const options: Record<string, string> = {
    master: `127.0.0.1:${port}`,
    port: String(await freePort()),
    pid: String(master.pid),
    agents: String(load.agents),
    steps,
    window: `${load.windowSeconds ?? 20}s`,
    limit: `${STEP_LIMIT_SECONDS}s`,
  };
  const flags = Object.entries(options).flatMap(([name, value]) => [`-${name}`, value]);
  const command = ['sh', '-c', 'ulimit -n "$(ulimit -Hn)"; exec "$@"', 'sh', mesosPeer.loadgen];
  const ended = new AbortController();
  const watched = load.onMetrics && watchMetrics(port, load.onMetrics, ended.signal);
  const result = await run([...command, ...flags], { timeoutMs: 1_200_000 });
  ended.abort();
  await watched;
  const lines = result.stdout.split('\n').filter((line) => line !== '');
  const bad = lines.filter((line) => !line.startsWith('{') || line.includes('"failed":true'));
  if (result.status !== 0 || bad.length > 0) {
    const said = [...bad, result.stderr, master.log()].join('\n');
    throw new Error(`The load of ${steps} on ${side} did not succeed:\n${said}`);
  }
  const parsed = lines.map((line) => JSON.parse(line) as Step);
  const metrics = parsed[0]?.['metrics'] as Record<string, number> | undefined;
  const counted = metrics?.['master/slaves_active'];
  if (counted !== load.agents) throw new Error(`${side} counts ${counted} active agents`);
  return parsed;
}

async function watchMetrics(
  port: number,
  onMetrics: NonNullable<MasterLoad['onMetrics']>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const answer = await fetch(`http://127.0.0.1:${port}/metrics/snapshot`);
    onMetrics((await answer.json()) as Record<string, number>);
    await new Promise<void>((done) => {
      const timer = setTimeout(done, METRICS_PAUSE_MS);
      signal.addEventListener('abort', () => (clearTimeout(timer), done()), { once: true });
    });
  }
}

/** Every line of one kind of step; rejects when there is none. */
export function stepsOf(steps: readonly Step[], kind: string): readonly Step[] {
  const found = steps.filter((one) => one.step === kind);
  if (found.length === 0) throw new Error(`The load generator printed no line of ${kind}`);
  return found;
}

/** A number of a line; rejects when it is none, so that nothing unmeasured is reported. */
export function numberOf(step: Step, field: string): number {
  const value = step[field];
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw new Error(`${step.step}: ${field} is ${String(value)}`);
  }
  return value;
}

export function expectEqual(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)} instead of ${expected}`);
}

export function lower(name: string, value: number, unit: string, goal?: number): Measure {
  return { name, value, unit, better: 'lower', ...(goal === undefined ? {} : { goal }) };
}

export function higher(name: string, value: number, unit: string, goal?: number): Measure {
  return { name, value, unit, better: 'higher', ...(goal === undefined ? {} : { goal }) };
}
