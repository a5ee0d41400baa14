// The entry of the program. It imports nothing by itself: finding five files is enough to wake a compiler, whose
// own code is 2 MB of a small part. Then the signals that must not be missed, then everything else, which takes a
// while to load.
export {};

const isAgent = process.argv[2] === 'agent';
if (isAgent) {
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  for (const name of ['maglev', 'turbofan']) setFlagsFromString(`--no-${name}`);
}

await import('./early-signals.ts');
const { startLargePart, startServingPart, startSmallPart } = await import('./lean-heap.ts');
const isBundle = import.meta.filename.endsWith('.js');

// An agent is small first: what was kept compiled would be half a megabyte of it.
if (isAgent) startSmallPart();
// What was compiled once is read the next time: a fifth of the processor time of a start. It lies with the bundle,
// which others cannot write to; where nobody can, or it does not fit, everything is compiled as ever.
else if (isBundle) {
  const { enableCompileCache } = process.getBuiltinModule('node:module');
  enableCompileCache(`${import.meta.dirname}/compile-cache`);
}
if (process.argv[2] === 'master') startLargePart();
if (process.argv[2] === 'kube' && process.argv[3] === 'serve') startServingPart();

await import('./program.ts');
