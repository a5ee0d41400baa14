// The entry of the program: first the signals that must not be missed, then everything else, which takes
// a while to load.
import './early-signals.ts';

await import('./program.ts');
