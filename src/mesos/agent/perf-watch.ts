// Counts events of containers by perf(1), as Mesos' cgroups/perf_event does: all at once for a while, again after
// each interval; what was counted last is told with their statistics.
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { errorChain, Fault } from '#base/fault.ts';
import type { Env, Timer } from '#env/env.ts';
import type { PerfStatistics } from '#wire/mesos/v1.ts';

export interface PerfFlags {
  /** As perf(1) names them; none: nothing is counted. */
  readonly events: readonly string[];
  readonly intervalMs: number;
  readonly durationMs: number;
}

/** Fields of PerfStatistics that perf fills. */
const HARDWARE =
  'cycles stalled_cycles_frontend stalled_cycles_backend instructions cache_references cache_misses branches ' +
  'branch_misses bus_cycles ref_cycles';
const SOFTWARE =
  'cpu_clock task_clock page_faults minor_faults major_faults context_switches cpu_migrations alignment_faults ' +
  'emulation_faults';
const CACHE = /^(l1_dcache|l1_icache|llc|dtlb|itlb|branch|node)_(load|store|prefetch)(s|_misses)$/;
const FIELDS = new Set([...HARDWARE.split(' '), ...SOFTWARE.split(' ')]);

const run = promisify(execFile);
/** To start and to end; after that a sample is given up. */
const EXTRA_MS = 5_000;

/** `L1-dcache-loads:u` is `l1_dcache_loads`. */
function fieldOf(event: string): string {
  return (event.split(':')[0] ?? '').toLowerCase().replaceAll('-', '_');
}

/** Counts by cgroup. Lines of `value,unit,event,cgroup,…`, or before Linux 3.14 without a unit. */
export function parsePerf(text: string): ReadonlyMap<string, Readonly<Record<string, number>>> {
  const all = new Map<string, Record<string, number>>();
  for (const line of text.split('\n')) {
    const words = line.split(',');
    if (line.trim() === '' || line.startsWith('#') || words.length < 3) continue;
    const [value = '', ...rest] = words;
    const [event = '', cgroup = ''] = words.length === 3 ? rest : rest.slice(1);
    const field = fieldOf(event);
    if (event === '' || value === '<not supported>') continue;
    if (!FIELDS.has(field) && !CACHE.test(field)) continue;
    const count = value === '<not counted>' ? 0 : Number(value);
    if (!Number.isFinite(count)) throw new Error(`"${line}" is no line of perf's`);
    all.set(cgroup, { ...all.get(cgroup), [field]: count });
  }
  return all;
}

/** Fault `bad-flag` when perf is not there, or does not know them. */
export function checkPerf({ events, intervalMs, durationMs }: PerfFlags): void {
  if (events.length === 0) return;
  const refuse = (name: string, why: string): never => {
    throw new Fault({ code: 'bad-flag', name }, `Cannot start: flag "${name}": ${why}`);
  };
  if (durationMs > intervalMs) {
    refuse('perf_duration', 'sampling perf for longer than "perf_interval" is not supported');
  }
  const words = events.flatMap((event) => ['--event', event]);
  const { status, error } = spawnSync('perf', ['stat', ...words, 'true'], { stdio: 'ignore' });
  if (error !== undefined) refuse('perf_events', 'Perf is not supported: there is no perf(1)');
  if (status !== 0) refuse('perf_events', `Invalid perf events: ${events.join(', ')}`);
}

export class PerfWatch {
  readonly #flags: PerfFlags;
  readonly #cgroupOf: (containerId: string) => string | undefined;
  readonly #env: Env;
  /** What was counted last, by container. */
  readonly #all = new Map<string, PerfStatistics | undefined>();
  readonly #aborted = new AbortController();
  #timer: Timer | undefined;

  /** `cgroupOf`: below the controller's root; undefined while nothing runs in it. */
  constructor(flags: PerfFlags, cgroupOf: (containerId: string) => string | undefined, env: Env) {
    this.#flags = flags;
    this.#cgroupOf = cgroupOf;
    this.#env = env;
  }

  add(containerId: string): void {
    if (this.#flags.events.length === 0 || this.#all.has(containerId)) return;
    this.#all.set(containerId, undefined);
    this.#arm(0);
  }

  forget(containerId: string): void {
    this.#all.delete(containerId);
  }

  of(containerId: string): PerfStatistics | undefined {
    return this.#all.get(containerId);
  }

  #arm(delayMs: number): void {
    if (this.#timer !== undefined || this.#aborted.signal.aborted || this.#all.size === 0) return;
    this.#timer = this.#env.timers.after(delayMs, () => void this.#sample());
  }

  async #sample(): Promise<void> {
    const begin = this.#env.clock.now();
    const groups = [...this.#all.keys()].flatMap((id) => {
      const cgroup = this.#cgroupOf(id);
      return cgroup === undefined ? [] : [[id, cgroup] as const];
    });
    try {
      if (groups.length > 0) await this.#count(groups, begin);
    } catch (error) {
      if (!this.#aborted.signal.aborted) {
        this.#env.log.warn('Events of containers are not counted', { error: errorChain(error) });
      }
    }
    this.#timer = undefined;
    this.#arm(Math.max(0, begin + this.#flags.intervalMs - this.#env.clock.now()));
  }

  async #count(groups: readonly (readonly [string, string])[], begin: number): Promise<void> {
    const { events, durationMs } = this.#flags;
    const pairs = events.flatMap((event) =>
      groups.flatMap(([, cgroup]) => ['--event', event, '--cgroup', cgroup]),
    );
    const words = ['stat', '--all-cpus', '--field-separator', ',', '--log-fd', '1', ...pairs];
    const { stdout } = await run('perf', [...words, '--', 'sleep', String(durationMs / 1000)], {
      signal: this.#aborted.signal,
      timeout: durationMs + EXTRA_MS,
      maxBuffer: 1 << 26,
    });
    const counts = parsePerf(stdout);
    for (const [id, cgroup] of groups) {
      const own = counts.get(cgroup);
      if (own === undefined || !this.#all.has(id)) continue;
      this.#all.set(id, { timestamp: begin / 1000, duration: durationMs / 1000, ...own });
    }
  }

  close(): void {
    this.#aborted.abort();
    this.#timer?.cancel();
  }
}
