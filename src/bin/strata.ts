// The entry of the program. It imports nothing by itself: V8 is first told how small an agent is to be. Then the
// signals that must not be missed, then everything else, which takes a while to load.
export {};

/**
 * Compilers of code that runs often are asleep until there is work (`smallPartBusy`): once woken, by as little as the
 * name of the script that is looked for, their own code is 3 MB of an agent's 60.
 */
const AGENT_FLAGS = ['--no-sparkplug', '--no-maglev', '--no-turbofan'];

const [command, subcommand] = process.argv.slice(2);
const isAgent = command === 'agent';
const isMaster = command === 'master';
const isServer = command === 'kube' && subcommand === 'serve';
const { execArgv, execPath, platform } = process;
// The same process goes on, with the same files open; Windows has no such thing, and bears the 3 MB.
if (isAgent && platform !== 'win32' && !AGENT_FLAGS.every((flag) => execArgv.includes(flag))) {
  const again = [execPath, ...execArgv, ...AGENT_FLAGS, ...process.argv.slice(1)];
  process.execve?.(execPath, again, process.env);
}

await import('./early-signals.ts');
const { startLargePart, startServingPart, startSmallPart } = await import('./lean-heap.ts');
const isBundle = import.meta.filename.endsWith('.js');

// An agent is small first: what was kept compiled would be half a megabyte of it.
if (isAgent) startSmallPart();
// What was compiled once is read the next time: a fifth of the processor time of a start. It lies with the bundle,
// which others cannot write to; where nobody can, or it does not fit, everything is compiled as ever. V8 takes only
// what was compiled under the same flags.
else if (isBundle) {
  const { enableCompileCache } = process.getBuiltinModule('node:module');
  const kind = isMaster ? 'master' : isServer ? 'server' : 'command';
  enableCompileCache(`${import.meta.dirname}/compile-cache/${kind}`);
}
if (isMaster) startLargePart();
if (isServer) startServingPart();

await import('./program.ts');
