// How a long-running part keeps its memory small; the one place where its V8 is told so. Part of bin, because
// only whoever is a process of its own may do that.
import { setFlagsFromString } from 'node:v8';
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
