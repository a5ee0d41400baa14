// The observer's own test, of executors on drivers: each of these broken agents some seed must show.
import type { AgentCore } from '#mesos/agent/core.ts';
import type { AgentInput } from '#mesos/agent/types.ts';
import { areNoticed, type Mutant } from './mutants-fixture.ts';
import type { Sabotage } from './world.ts';

type Subscribed = Extract<AgentInput, { readonly kind: 'executor-subscribed' }>;

/** Something of what a driver says when it comes back is not heard. */
function deafTo(what: Partial<Subscribed>): Sabotage {
  return {
    agent({ workloads }: AgentCore): void {
      const subscribed = workloads.subscribed.bind(workloads);
      workloads.subscribed = (input, now) => {
        const isBack = input.driver?.isBack === true;
        subscribed(isBack ? { ...input, ...what } : input, now);
      };
    },
  };
}

const mutants: readonly Mutant[] = [
  {
    name: 'an agent that gives a driver again what it has',
    says: /a driver is given \S+ twice|ran on .* and runs on/,
    sabotage: deafTo({ unacknowledgedTasks: [] }),
  },
  {
    name: 'an agent that does not hear what a driver could not say meanwhile',
    says: /has work to do|still believes/,
    stepsMax: 300_000,
    sabotage: deafTo({ unacknowledgedUpdates: [] }),
  },
];

areNoticed(mutants);
