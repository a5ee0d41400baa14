// The entry of the program: first the signals that must not be missed, then everything else, which takes
// a while to load.
import './early-signals.ts';
import { startSmallPart } from './lean-heap.ts';

if (process.argv[2] === 'agent') startSmallPart();

await import('./program.ts');
