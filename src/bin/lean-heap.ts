// How a long-running part keeps its memory small; the one place where its V8 is told so. Part of bin, because
// only whoever is a process of its own may do that.
import { performance, PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Timer, Timers } from '#env/env.ts';

/** Compilers of code that runs often; what runs once at the start is not to wake them. */
const COMPILERS = ['sparkplug', 'maglev', 'turbofan'];

/**
 * For a part that holds little and allocates little at a time: what is young stays at a megabyte, instead of
 * up to 48 that are never given back. To be called before anything large is loaded; `smallPartStarted` follows.
 */
export function startSmallPart(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  for (const name of COMPILERS) setFlagsFromString(`--no-${name}`);
}

/**
 * What was only needed to start (source text, syntax trees, options) goes at once: 3 of an agent's 64 MB. Compilers
 * stay asleep until `smallPartBusy`: woken by what has run often at the start, their own code alone is 2 MB of it.
 */
export function smallPartStarted(): void {
  collectAll();
}

/** There is work to do from now on. May be called again. */
export function smallPartBusy(): void {
  for (const name of COMPILERS) setFlagsFromString(`--${name}`);
}

/** Stops this thread: some 60 ms when 22 MB are held. */
function collectAll(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: object) => void;
  setFlagsFromString('--no-expose-gc');
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

/** Of what is young, of a large part: half of what V8 lets it grow to. */
const YOUNG_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Whoever holds more is not collected only because there is little to do: V8 does so twice, to give memory back, and
 * stands still at the end of each for half a second per gigabyte. What grows is collected all the same.
 */
const REDUCED_BYTES_MAX = 128 * 1024 * 1024;
/** Collections of that kind in a row (V8's default), or none. */
const REDUCTIONS = 2;

/**
 * For a part that holds much for long, and has much to do: what is old is collected when it has grown by half, where
 * V8 waits for up to four times as much while all goes well, and what is young stays small. Code is optimized once
 * more only when it has run thirty thousand times instead of three: that takes processor time in which as much
 * could have been done, of what is optimized already. To be called before anything large is loaded.
 */
export function startLargePart(): void {
  setFlagsFromString('--heap-growing-percent=50');
  setFlagsFromString('--invocation-count-for-turbofan=30000');
  // Buffers count with all else that has grown. By default 64 MB of them are enough to go through all that is held.
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  let mayGrow = true;
  let isReduced = true;
  // Its size is given at the start of V8 or not at all; how it grows is asked for each time. It may become smaller
  // again, so it is looked at whenever it may have changed.
  const observer = new PerformanceObserver(() => {
    const spaces = getHeapSpaceStatistics();
    const held = spaces.reduce((sum, { space_used_size }) => sum + space_used_size, 0);
    if (held < REDUCED_BYTES_MAX !== isReduced) {
      isReduced = !isReduced;
      setFlagsFromString(`--memory-reducer-gc-count=${isReduced ? REDUCTIONS : 0}`);
    }
    const young = spaces.find(({ space_name }) => space_name === 'new_space');
    if (young === undefined) return;
    const isSmall = young.space_used_size + young.space_available_size < YOUNG_BYTES_MAX * 0.9;
    if (isSmall === mayGrow) return;
    mayGrow = isSmall;
    setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`);
  });
  observer.observe({ entryTypes: ['gc'] });
}

/**
 * For a part that is small until it is asked for much, and then holds what many clients ask for, most of it in buffers
 * (an API server): 64 MB more of them, one list of so many bytes, would be enough to go through all that is held.
 */
export function startServingPart(): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit');
}

const IDLE_CHECK_MS = 500;
/** Part of the time between two checks in which something was done. */
const BUSY_MAX = 0.1;
const IDLE_CHECKS_MAX = 60;
/** Whoever holds more has begun to work, and would stand still for long. */
const HEAP_BYTES_MAX = 64 * 1024 * 1024;

/** What is asked of the process, and done to it. */
export interface HeapProbe {
  /** Since it was asked last, from 0 to 1. */
  utilization(): number;
  heapBytes(): number;
  collect(): void;
}

function processProbe(): HeapProbe {
  let before = performance.eventLoopUtilization();
  return {
    utilization() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, before);
      before = now;
      return utilization;
    },
    heapBytes: () => getHeapStatistics().used_heap_size,
    collect: collectAll,
  };
}

/**
 * For a part that may be asked for much at any time, and is to be small until then: what its start has left
 * (25 of an API server's 127 MB) goes as soon as it has had next to nothing to do for half a second. Once; never,
 * when it is busy for the first half minute.
 */
export function collectWhenIdle(
  timers: Timers,
  probe: HeapProbe = processProbe(),
): { cancel(): void } {
  let timer: Timer | undefined;
  let checks = 0;
  const check = (): void => {
    timer = undefined;
    checks += 1;
    if (probe.heapBytes() > HEAP_BYTES_MAX) return;
    if (probe.utilization() < BUSY_MAX) probe.collect();
    else if (checks < IDLE_CHECKS_MAX) timer = timers.after(IDLE_CHECK_MS, check);
  };
  timer = timers.after(IDLE_CHECK_MS, check);
  return { cancel: () => timer?.cancel() };
}
