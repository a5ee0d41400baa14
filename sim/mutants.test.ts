// The observer's own test: cores, disks and registries that are broken on purpose, each of which some
// seed must show. A checker that cannot fail is none.
import type { FrameworkCore } from '#kube/framework/core.ts';
import type { FrameworkEffect } from '#kube/framework/types.ts';
import type { AgentCore } from '#mesos/agent/core.ts';
import type { MasterCore } from '#mesos/master/core.ts';
import type { MasterEffect, RegistryChange } from '#mesos/master/types.ts';
import type { CheckpointRecord } from '#mesos/agent/types.ts';
import type { SimGroup } from './election.ts';
import type { SimRegistry } from './registry.ts';
import type { Machine } from './machine.ts';
import { areNoticed, type Mutant } from './mutants-fixture.ts';
import type { Sabotage } from './world.ts';

function forgets(kind: CheckpointRecord['kind']): Sabotage {
  return {
    machine({ disk }: Machine): void {
      const apply = disk.apply.bind(disk);
      disk.apply = (record) => {
        if (record.kind !== kind) apply(record);
      };
    },
  };
}

function registryWithout(kind: RegistryChange['kind']): Sabotage {
  return {
    registry(registry: SimRegistry): void {
      const apply = registry.apply.bind(registry);
      registry.apply = (change) => {
        if (change.kind !== kind) apply(change);
      };
    },
  };
}

function withoutEffects(core: MasterCore, isKept: (effect: MasterEffect) => boolean): void {
  const onAgentMessage = core.onAgentMessage.bind(core);
  core.onAgentMessage = (...args) => onAgentMessage(...args).filter(isKept);
}

const mutants: readonly Mutant[] = [
  {
    name: 'an allocator that offers nothing',
    says: /time is up, and \w+ has work to do/,
    stepsMax: 3_000_000,
    sabotage: {
      master({ state: { allocator } }: MasterCore): void {
        allocator.allocate = () => [];
      },
    },
  },
  {
    name: 'an allocator that gives everything twice',
    says: /are given out, of/,
    sabotage: {
      master({ state: { allocator } }: MasterCore): void {
        const allocate = allocator.allocate.bind(allocator);
        allocator.allocate = (now) => allocate(now).flatMap((one) => [one, one]);
      },
    },
  },
  {
    name: 'an allocator that gets back nothing that was declined',
    says: /takes .* for free, it is/,
    sabotage: {
      master({ state: { allocator } }: MasterCore): void {
        const recover = allocator.recover.bind(allocator);
        allocator.recover = (...args) => {
          if (args[3] === undefined) recover(...args);
        };
      },
    },
  },
  {
    name: 'a master that gives nothing back when a task ends',
    says: /takes .* for free, it is/,
    sabotage: {
      master({ state }: MasterCore): void {
        state.release = () => {};
      },
    },
  },
  {
    name: 'a master that offers the same id again',
    says: /was made twice/,
    sabotage: {
      master({ state }: MasterCore): void {
        Object.defineProperty(state, 'nextOffer', { get: () => 7, set: () => {} });
      },
    },
  },
  {
    name: 'a master that does not ask what became of tasks it alone knows',
    says: /still believes/,
    sabotage: {
      master: (core) =>
        withoutEffects(core, (effect) => {
          const isAsking =
            effect.kind === 'send' && effect.message.name === 'SlaveReregisteredMessage';
          if (isAsking) Object.assign(effect.message.body, { reconciliations: [] });
          return true;
        }),
    },
  },
  {
    name: 'a registry that forgets who was admitted',
    says: /not in the registry/,
    sabotage: registryWithout('admit-agent'),
  },
  {
    name: 'a registry that forgets quotas',
    says: /the registry has quota/,
    sabotage: registryWithout('set-quotas'),
  },
  {
    name: 'a registry that forgets who was deactivated',
    says: /the registry has .* as active/,
    sabotage: registryWithout('set-standing'),
  },
  {
    name: 'a registry that forgets who is gone',
    says: /the registry has .* as active, not "gone"/,
    sabotage: registryWithout('mark-gone'),
  },
  {
    name: 'a master that forgets who is gone',
    says: /a master forgot that .* is gone/,
    sabotage: { master: ({ state }: MasterCore) => state.gone.clear() },
  },
  {
    name: 'a master that forgets what was decided of agents',
    says: /a master forgot the standing of/,
    sabotage: { master: ({ state }: MasterCore) => state.standings.clear() },
  },
  {
    name: 'an agent that is taken for drained at once',
    says: /is drained and runs/,
    sabotage: {
      registry(registry: SimRegistry): void {
        const apply = registry.apply.bind(registry);
        registry.apply = (change) => {
          const drain = change.kind === 'set-standing' ? change.standing.drain : undefined;
          if (change.kind !== 'set-standing' || drain === undefined) return apply(change);
          const standing = { deactivated: true, drain: { ...drain, state: 'DRAINED' as const } };
          return apply({ ...change, standing });
        };
      },
    },
  },
  {
    name: 'a group that takes an entry out before its master knows',
    says: /leads while .* does/,
    sabotage: {
      group(group: SimGroup): void {
        group.leaseMs = 1_000;
      },
    },
  },
  {
    name: 'a master that offers everything to another role',
    says: /offers other what is reserved for/,
    sabotage: {
      master(core: MasterCore): void {
        const allocate = core.allocate.bind(core);
        core.allocate = (now) =>
          allocate(now).map((effect) => {
            for (const offer of effect.kind === 'event' ? (effect.event.offers?.offers ?? []) : [])
              Object.assign(offer, { allocation_info: { role: 'other' } });
            return effect;
          });
      },
    },
  },
  {
    name: 'a framework that asks about its tasks without the agents that they are on',
    says: /and the instance gives it up/,
    first: [680],
    sabotage: {
      instance(core: FrameworkCore): void {
        const plain = (effects: FrameworkEffect[]): FrameworkEffect[] =>
          effects.map((effect) =>
            effect.kind !== 'reconcile'
              ? effect
              : { ...effect, tasks: effect.tasks.map((one) => ({ ...one, agentId: undefined })) },
          );
        const [onSubscribed, askAgain] = [core.onSubscribed.bind(core), core.askAgain.bind(core)];
        const onPod = core.onPod.bind(core);
        core.onSubscribed = () => plain(onSubscribed());
        core.askAgain = () => plain(askAgain());
        core.onPod = (view) => plain(onPod(view));
      },
    },
  },
  {
    name: 'a master that offers what is deactivated',
    says: /, which is /,
    sabotage: {
      master({ state }: MasterCore): void {
        state.isDeactivated = () => false;
      },
    },
  },
  {
    name: 'an allocator without limits',
    says: /is offered .* of at most/,
    sabotage: {
      master({ state: { allocator } }: MasterCore): void {
        const setQuota = allocator.setQuota.bind(allocator);
        allocator.setQuota = (role, quota) =>
          setQuota(role, quota && { ...quota, limits: new Map() });
      },
    },
  },
  {
    name: 'a new master that does not wait for those whose tasks count against limits',
    says: /is offered .* of at most/,
    sabotage: {
      master: ({ state: { allocator } }: MasterCore) => allocator.awaitReturns(false),
    },
  },
  {
    name: 'a master that takes no note of quotas in its registry',
    says: /a master forgot the quota/,
    sabotage: {
      master({ quotas, state }: MasterCore): void {
        for (const { role } of quotas.status().configs ?? []) {
          state.allocator.setQuota(role, undefined);
        }
      },
    },
  },
  {
    name: 'an agent that goes on when a write has failed',
    says: /TASK_DROPPED, and it ran|still believes|and is nowhere/,
    sabotage: {
      machine(machine: Machine): void {
        machine.agentFailed = () => {};
      },
    },
  },
  {
    name: 'a disk that forgets tasks',
    says: /TASK_DROPPED, and it ran/,
    sabotage: forgets('task'),
  },
  { name: 'a disk that forgets updates', says: /./, sabotage: forgets('update') },
  {
    name: 'a disk that forgets acknowledgements',
    says: /is acknowledged twice/,
    sabotage: forgets('acknowledgement'),
  },
  {
    name: 'a disk that forgets the agent',
    says: / was m\d-S\d and is /,
    sabotage: forgets('agent'),
  },
  {
    name: 'a disk that forgets reservations and volumes',
    says: /runs .* and has|, the master /,
    sabotage: forgets('resources'),
  },
  {
    name: 'a disk that loses volumes when something else is written',
    says: /is lost on/,
    sabotage: {
      machine({ disk }: Machine): void {
        const apply = disk.apply.bind(disk);
        disk.apply = (record) => {
          if (record.kind !== 'resources') return apply(record);
          const resources = record.resources.filter((one) => one.disk === undefined);
          const isKept = record.operations.length > 0;
          return apply(isKept ? record : { ...record, resources });
        };
      },
    },
  },
  {
    name: 'a master that takes what an agent lacks for reserved',
    says: /takes .* for free, it is/,
    sabotage: {
      master({ state }: MasterCore): void {
        Object.assign(state.allocator, { updateAgent: () => {} });
      },
    },
  },
  {
    name: 'an agent that tells the end of an operation once',
    says: /waits for a word on|believes that/,
    sabotage: {
      agent({ resources }: AgentCore): void {
        resources.resend = () => {};
        resources.nextAt = () => Infinity;
      },
    },
  },
  {
    name: 'a framework that asks about no task',
    says: /is Pending still|is Running still/,
    sabotage: {
      instance(core: FrameworkCore): void {
        const onSubscribed = core.onSubscribed.bind(core);
        core.onSubscribed = () => onSubscribed().filter(({ kind }) => kind !== 'reconcile');
        core.askAgain = () => [];
      },
    },
  },
  {
    name: 'a framework that binds nothing and launches all',
    says: /starts on .*, bound to undefined/,
    sabotage: {
      instance(core: FrameworkCore): void {
        const onOffers = core.onOffers.bind(core);
        core.onOffers = (offers) =>
          onOffers(offers).flatMap((effect) =>
            effect.kind === 'bind' ? [...core.onBound(effect.uid, 'done')] : [effect],
          );
      },
    },
  },
  {
    name: 'an agent that tells an update once',
    says: /waits for an acknowledgement|still believes/,
    sabotage: {
      agent({ workloads: { streams } }: AgentCore): void {
        const told = new Set<unknown>();
        const takeDue = streams.takeDue.bind(streams);
        streams.takeDue = (now) =>
          takeDue(now).filter(({ update }) => !told.has(update) && told.add(update));
      },
    },
  },
  {
    name: 'an agent that says nothing of tasks that it does not know',
    says: /still believes/,
    sabotage: {
      agent({ workloads }: AgentCore): void {
        workloads.reportUnknown = () => {};
      },
    },
  },
  {
    name: 'an agent that keeps the executors of frameworks that left',
    says: /which is gone|nobody wants it|believes/,
    sabotage: {
      agent({ workloads }: AgentCore): void {
        workloads.shutdownFramework = () => {};
      },
    },
  },
  {
    name: 'a machine where a start that came too late happens after all',
    says: /ran on .* and runs on/,
    sabotage: {
      machine(machine: Machine): void {
        machine.mayStart = () => true;
      },
    },
  },
];

areNoticed(mutants);
