// The entry of the program: first the signals that must not be missed, then everything else, which takes
// a while to load.
import './early-signals.ts';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { startLargePart, startServingPart, startSmallPart } from './lean-heap.ts';

const isBundle = import.meta.filename.endsWith('.js');

// An agent is small first: what was kept compiled would be half a megabyte of it.
if (process.argv[2] === 'agent') startSmallPart();
// What was compiled once is read the next time: a fifth of the processor time of a start. It lies with the bundle,
// which others cannot write to; where nobody can, or it does not fit, everything is compiled as ever.
else if (isBundle) enableCompileCache(join(import.meta.dirname, 'compile-cache'));
if (process.argv[2] === 'master') startLargePart();
if (process.argv[2] === 'kube' && process.argv[3] === 'serve') startServingPart();

await import('./program.ts');
