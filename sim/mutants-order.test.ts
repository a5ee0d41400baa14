// The observer's own test, of what is numbered and fenced: without it something old passes for something
// new, which some seed must show.
import type { FrameworkCore } from '#kube/framework/core.ts';
import type { FrameworkEffect, TaskStatus } from '#kube/framework/types.ts';
import { podOfTask } from '#kube/meta/task-id.ts';
import type { MasterCore } from '#mesos/master/core.ts';
import type { FrameworkActor } from './framework.ts';
import { areNoticed, type Mutant } from './mutants-fixture.ts';
import type { SimRegistry } from './registry.ts';

type Method = (...args: unknown[]) => unknown;

/** Each value of a `taskId` in it, as `change` has it. */
function withTaskIds<T>(value: T, change: (taskId: string) => string): T {
  if (Array.isArray(value)) return value.map((one) => withTaskIds(one as unknown, change)) as T;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  const entries = Object.entries(value).map(([key, one]) => {
    const isId = key === 'taskId' && typeof one === 'string';
    return [key, isId ? change(one) : withTaskIds(one as unknown, change)];
  });
  return Object.fromEntries(entries) as T;
}

/** Every attempt to launch a pod has the same task id, and word of it is taken for word of the last. */
function withoutAttempts(core: FrameworkCore): void {
  const last = new Map<string, string>();
  const forget = (taskId: string): string => {
    const { uid, attempt } = podOfTask(taskId);
    if (attempt > podOfTask(last.get(uid) ?? uid).attempt) last.set(uid, taskId);
    return uid;
  };
  const methods = core as unknown as Record<string, Method>;
  for (const name of [
    'onSubscribed',
    'askAgain',
    'onPod',
    'onPodGone',
    'onOffers',
    'onBound',
    'onNoted',
  ]) {
    const method = methods[name]?.bind(core);
    methods[name] = (...args) => withTaskIds(method?.(...args), forget);
  }
  const onUpdate = core.onUpdate.bind(core);
  core.onUpdate = (status: TaskStatus): FrameworkEffect[] => {
    const taskId = last.get(status.taskId) ?? status.taskId;
    return withTaskIds(onUpdate({ ...status, taskId }), forget);
  };
}

const mutants: readonly Mutant[] = [
  {
    name: 'a registry that takes what a deposed master writes',
    says: /is here, and the registry does not have it so/,
    first: [75, 115],
    sabotage: {
      registry(registry: SimRegistry): void {
        registry.write = (change) => {
          registry.apply(change);
          return true;
        };
      },
    },
  },
  {
    name: 'an instance whose attempts to launch a pod have one task id',
    says: /and the instance gives it up/,
    first: [1130, 2089],
    sabotage: { instance: withoutAttempts },
  },
  {
    name: 'a master that keeps tasks as unreachable whose agent is back',
    says: /as unreachable$/,
    first: [25],
    sabotage: {
      master({ state: { holdings } }: MasterCore): void {
        holdings.removeUnreachable = () => {};
      },
    },
  },
  {
    name: 'a framework that forgets to clean up',
    says: /^f\d leaves .* behind$/,
    sabotage: {
      framework({ reserver }: FrameworkActor): void {
        Object.defineProperty(reserver, 'isClean', { value: true });
      },
    },
  },
];

areNoticed(mutants);
