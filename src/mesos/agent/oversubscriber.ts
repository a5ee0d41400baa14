// Measures what executors use, asks the estimator what may be offered again and the QoS controller who
// is to give way, and tells the agent's core both.
import { errorChain } from '#base/fault.ts';
import type { Env, Instant, Timer } from '#env/env.ts';
import type { ProcessUsage } from '#env/process.ts';
import { resourcesOf } from './agent-state.ts';
import type { ContainerPath } from './container-id.ts';
import type { AgentCore } from './core.ts';
import { scalarSum } from './metrics.ts';
import type { Measured, QosController, ResourceEstimator } from './oversubscription.ts';
import type { AgentInput } from './types.ts';

export interface OversubscriberOptions {
  readonly estimator: ResourceEstimator | undefined;
  readonly controller: QosController | undefined;
  readonly estimateMs: number;
  readonly correctMs: number;
}

export interface OversubscriberPorts {
  readonly core: AgentCore;
  readonly env: Env;
  usage(path: ContainerPath): Promise<ProcessUsage | undefined>;
  /** Of the last 5 and 15 minutes. */
  loads(): readonly [number, number];
  onInput(input: AgentInput): void;
}

/** Cpus of one container when it was last looked at. */
interface Sample {
  readonly at: Instant;
  readonly cpuSeconds: number;
}

export class Oversubscriber {
  readonly #options: OversubscriberOptions;
  readonly #ports: OversubscriberPorts;
  /** The two look at their own times, so that each measures a whole interval. */
  readonly #samples = {
    estimate: new Map<string, Sample>(),
    correct: new Map<string, Sample>(),
  };
  readonly #timers = new Set<Timer>();
  #isClosed = false;

  constructor(options: OversubscriberOptions, ports: OversubscriberPorts) {
    this.#options = options;
    this.#ports = ports;
  }

  start(): void {
    const { estimator, controller, estimateMs, correctMs } = this.#options;
    if (estimator !== undefined) {
      this.#every(estimateMs, async () => {
        const resources = estimator(await this.#measure('estimate'));
        if (this.#isClosed) return;
        this.#ports.onInput({ kind: 'oversubscribed', resources });
      });
    }
    if (controller !== undefined) {
      this.#every(correctMs, async () => {
        for (const { key, containerId } of controller(await this.#measure('correct'))) {
          if (this.#isClosed) return;
          this.#ports.onInput({ kind: 'qos-correction', key, containerId });
        }
      });
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  #every(intervalMs: number, work: () => Promise<void>): void {
    const { env } = this.#ports;
    const run = async (): Promise<void> => {
      try {
        await work();
      } catch (error) {
        env.log.warn('Cannot measure what executors use', { error: errorChain(error) });
      }
      if (this.#isClosed) return;
      const timer = env.timers.after(intervalMs, () => {
        this.#timers.delete(timer);
        void run();
      });
      this.#timers.add(timer);
    };
    void run();
  }

  async #measure(who: 'estimate' | 'correct'): Promise<Measured> {
    const { core, env, usage, loads } = this.#ports;
    const samples = this.#samples[who];
    const executors = core.workloads.executors().filter((one) => one.state !== 'terminated');
    const now = env.clock.now();
    const measured = await Promise.all(
      executors.map(async (one) => {
        const { key, containerId } = one;
        const found = await usage([containerId]);
        const before = samples.get(containerId);
        if (found === undefined) samples.delete(containerId);
        else samples.set(containerId, { at: now, cpuSeconds: found.cpuSeconds });
        const cpusUsed =
          found === undefined || before === undefined || now <= before.at
            ? undefined
            : Math.max(0, ((found.cpuSeconds - before.cpuSeconds) * 1000) / (now - before.at));
        return { key, containerId, resources: resourcesOf(one), cpusUsed };
      }),
    );
    const living = new Set(executors.map((one) => one.containerId));
    for (const id of samples.keys()) if (!living.has(id)) samples.delete(id);
    const [load5, load15] = loads();
    const cpusTotal = scalarSum(core.info.resources ?? [], 'cpus');
    return { executors: measured, cpusTotal, load5, load15 };
  }
}
