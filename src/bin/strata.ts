// The entry of the program: first the signals that must not be missed, then everything else, which takes
// a while to load.
import './early-signals.ts';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// What was compiled once is read the next time: a fifth of the processor time of a start. It lies with the bundle,
// which others cannot write to; where nobody can, or it does not fit, everything is compiled as ever.
if (import.meta.filename.endsWith('.js')) {
  enableCompileCache(join(import.meta.dirname, 'compile-cache'));
}

await import('./program.ts');
