// The observer's own test, of resource providers: each of these broken parts some seed must show.
import type { AgentCore } from '#mesos/agent/core.ts';
import type { MasterCore } from '#mesos/master/core.ts';
import type { ProviderCore, ProviderEffect } from '#mesos/provider/core.ts';
import { areNoticed, type Mutant } from './mutants-fixture.ts';
import type { Machine } from './machine.ts';

function changed(core: ProviderCore, change: (effect: ProviderEffect) => ProviderEffect[]): void {
  const handle = core.handle.bind(core);
  core.handle = (...args) => handle(...args).flatMap(change);
}

const mutants: readonly Mutant[] = [
  {
    name: 'a provider that makes another volume each time it is asked',
    says: /made .* and|has volumes/,
    first: [58],
    sabotage: {
      provider(core: ProviderCore): void {
        let count = 0;
        changed(core, (effect) => {
          if (effect.kind !== 'make') return [effect];
          count += 1;
          return [{ ...effect, volume: { ...effect.volume, id: `${effect.volume.id}-${count}` } }];
        });
      },
    },
  },
  {
    name: 'a provider that says that it has made what it has not',
    says: /is told to be done, and made nothing/,
    sabotage: {
      provider(core: ProviderCore): void {
        changed(core, (effect) => {
          if (effect.kind !== 'make') return [effect];
          return [...core.handle({ kind: 'made', key: effect.key }, 0)];
        });
      },
    },
  },
  {
    name: 'a provider that destroys what nobody asked it to',
    says: /is lost on/,
    sabotage: {
      provider(core: ProviderCore): void {
        changed(core, (effect) =>
          effect.kind === 'make'
            ? [effect, { kind: 'remove', key: 'other', volume: effect.volume }]
            : [effect],
        );
      },
    },
  },
  {
    name: 'a provider that tells the end of an operation once',
    says: /waits for a word on|believes that/,
    sabotage: {
      provider(core: ProviderCore): void {
        core.nextDeadline = () => Infinity;
        const told = new Set<string>();
        changed(core, (effect) => {
          const update = effect.kind === 'call' ? effect.call.update_operation_status : undefined;
          const key = Buffer.from(update?.operation_uuid.value ?? []).toString('hex');
          if (update === undefined || !told.has(key)) {
            told.add(key);
            return [effect];
          }
          return [];
        });
      },
    },
  },
  {
    name: 'a provider whose disk forgets what it has kept',
    says: /is raw space again|believes that/,
    sabotage: {
      machine({ providerDisk }: Machine): void {
        if (providerDisk !== undefined) providerDisk.keep = () => {};
      },
    },
  },
  {
    name: 'an agent that does not report what its providers are doing',
    says: /are to be had, of|was promised what is not there|offers .*, which is gone/,
    sabotage: {
      agent({ providers }: AgentCore): void {
        const reported = providers.reported.bind(providers);
        providers.reported = () => ({
          providers: (reported().providers ?? []).map((one) => ({
            ...one,
            operations: { operations: [] },
          })),
        });
      },
    },
  },
  {
    name: 'a master that gives away what a disk is being made of',
    says: /was promised what is not there|are to be had|takes .* for free/,
    sabotage: {
      master({ state: { pending } }: MasterCore): void {
        pending.begin = () => {};
      },
    },
  },
  {
    name: 'a master that learns nothing more of a provider that it knows',
    says: /the master/,
    sabotage: {
      master(core: MasterCore): void {
        const onAgentMessage = core.onAgentMessage.bind(core);
        core.onAgentMessage = (upid, message, ...more) => {
          if (message.name !== 'UpdateSlaveMessage') return onAgentMessage(upid, message, ...more);
          const agent = core.state.agents.get(message.body.agent_id.value);
          const { resource_providers: _all, ...body } = message.body;
          const isKnown = (agent?.providers.size ?? 0) > 0;
          return onAgentMessage(upid, isKnown ? { ...message, body } : message, ...more);
        };
      },
    },
  },
];

areNoticed(mutants);
