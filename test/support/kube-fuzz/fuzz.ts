// Runs one target for a time or a number of inputs, and tells what it found.
import { randomOf } from '#test/support/store-history/workload.ts';
import { mutated } from './mutate.ts';
import type { Target } from './targets.ts';

/** Of the processor: more than any good answer takes, however busy the machine is. */
const SLOW_MS = 3_000;
/** Of the clock, for what waits and does nothing. */
const HUNG_MS = 60_000;
const FINDINGS_MAX = 10;
const HEAP_GROWTH_MAX = 512 * 1024 * 1024;

export interface Finding {
  readonly target: string;
  readonly seed: number;
  readonly index: number;
  readonly why: string;
  readonly input: Buffer;
}

export interface FuzzResult {
  readonly target: string;
  readonly inputs: number;
  /** Of the processor. */
  readonly slowestMs: number;
  readonly findings: readonly Finding[];
}

export async function fuzz(
  target: Target,
  options: {
    readonly seed: number;
    readonly inputs?: number;
    readonly seconds?: number;
    readonly from?: number;
  },
): Promise<FuzzResult> {
  const { seed, inputs = Infinity, seconds = Infinity, from = 0 } = options;
  const endAt = performance.now() + seconds * 1_000;
  const heapBefore = process.memoryUsage().heapUsed;
  const findings: Finding[] = [];
  let slowestMs = 0;
  let index = from;
  for (; index < from + inputs && performance.now() < endAt; index++) {
    // Each input by a generator of its own, so that one may be made again alone.
    const input = mutated(randomOf(seed * 1_000_003 + index), target.seeds, target.words);
    const startedAt = performance.now();
    const before = process.cpuUsage();
    let why: string | undefined;
    try {
      why = await target.run(input);
    } catch (error) {
      why = `threw ${String((error as Error).stack).slice(0, 800)}`;
    }
    const { user, system } = process.cpuUsage(before);
    const ms = (user + system) / 1_000;
    slowestMs = Math.max(slowestMs, ms);
    if (ms > SLOW_MS) why ??= `took ${Math.round(ms)} ms`;
    if (performance.now() - startedAt > HUNG_MS) why ??= 'hung';
    if (why !== undefined) findings.push({ target: target.name, seed, index, why, input });
    if (findings.length >= FINDINGS_MAX) break;
    if (index % 10_000 === 9_999) {
      const grown = process.memoryUsage().heapUsed - heapBefore;
      if (grown > HEAP_GROWTH_MAX) {
        const what = `the heap has grown by ${Math.round(grown / 1e6)} MB`;
        findings.push({ target: target.name, seed, index, why: what, input: Buffer.alloc(0) });
        break;
      }
    }
  }
  return { target: target.name, inputs: index - from, slowestMs, findings };
}
