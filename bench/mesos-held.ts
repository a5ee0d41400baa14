// A fresh master of either side with agents and running tasks that stay while something else is
// measured: the load generator holds them until the end.
import type { Side } from './benchmark.ts';
import { startMaster } from './mesos-master.ts';
import { mesosPeer } from './peers.ts';
import { Program } from './program.ts';
import { freePort } from '#test/support/free-port.ts';

const HOLD_LIMIT = '3600s';
const READY_LIMIT_MS = 1_200_000;

export interface Held extends AsyncDisposable {
  readonly port: number;
  readonly master: Program;
  readonly generators: readonly Program[];
}

export interface HeldLoad {
  readonly agents: number;
  /** Of one framework, five a call; 0: none. */
  readonly tasks: number;
  /** Generators, each with its part of the agents. */
  readonly generators?: number;
  /** Agents that share an address: open files are few on some machines. */
  readonly agentsPerAddress?: number;
  readonly heapMb?: number;
}

export async function holdMaster(side: Side, load: HeldLoad): Promise<Held> {
  const { agents, tasks, generators = 1, agentsPerAddress = 1 } = load;
  const port = await freePort();
  const master = await startMaster(side, port, load);
  const running: Program[] = [];
  const stop = async (): Promise<void> => {
    for (const one of running) await one[Symbol.asyncDispose]();
    await master[Symbol.asyncDispose]();
  };
  try {
    const each = Math.ceil(agents / generators);
    const steps = ['register', 'settle', ...(tasks > 0 ? [`launch:${tasks}:5:keep`] : []), 'hold'];
    for (let first = 0; first < agents; first += each) {
      const options: Record<string, string> = {
        master: `127.0.0.1:${port}`,
        port: String(await freePort()),
        pid: String(master.pid),
        agents: String(Math.min(each, agents - first)),
        first: String(first),
        peraddr: String(agentsPerAddress),
        steps: steps.join(','),
        limit: HOLD_LIMIT,
      };
      const flags = Object.entries(options).flatMap(([name, value]) => [`-${name}`, value]);
      const generator = new Program({ command: () => [mesosPeer.loadgen, ...flags] });
      running.push(generator);
      const isHeld = (): Promise<boolean> => {
        const said = generator.log();
        if (said.includes('"failed":true')) throw new Error(said);
        return Promise.resolve(said.includes('"step":"hold"'));
      };
      await generator.ready(isHeld, READY_LIMIT_MS);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, master, generators: running, [Symbol.asyncDispose]: stop };
}
