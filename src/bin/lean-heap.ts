// How a long-running part keeps its memory small; the one place where its V8 is told so. Part of bin, because
// only whoever is a process of its own may do that.
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

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

/** What was only needed to start (source text, syntax trees, options) goes at once: 3 of an agent's 64 MB. */
export function smallPartStarted(): void {
  for (const name of COMPILERS) setFlagsFromString(`--${name}`);
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: object) => void;
  setFlagsFromString('--no-expose-gc');
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

/** Of what is young, of a large part: half of what V8 lets it grow to. */
const YOUNG_BYTES_MAX = 16 * 1024 * 1024;

/**
 * For a part that holds much for long, and has much to do: what is old is collected when it has grown by half, where
 * V8 waits for up to four times as much while all goes well, and what is young stays small. Code is optimized once
 * more only when it has run thirty thousand times instead of three: that takes processor time in which as much
 * could have been done, of what is optimized already. To be called before anything large is loaded.
 */
export function startLargePart(): void {
  setFlagsFromString('--heap-growing-percent=50');
  setFlagsFromString('--invocation-count-for-turbofan=30000');
  let mayGrow = true;
  // Its size is given at the start of V8 or not at all; how it grows is asked for each time. It may become smaller
  // again, so it is looked at whenever it may have changed.
  const observer = new PerformanceObserver(() => {
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
    if (young === undefined) return;
    const isSmall = young.space_used_size + young.space_available_size < YOUNG_BYTES_MAX * 0.9;
    if (isSmall === mayGrow) return;
    mayGrow = isSmall;
    setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`);
  });
  observer.observe({ entryTypes: ['gc'] });
}
