// What a message is after it has travelled: some worlds send bytes, the others the objects.
import { decode, encode, type MessageName } from '#wire/mesos/codec.ts';
import type { SchedulerEvent } from '#wire/mesos/v1.ts';
import type { World } from './world.ts';

export function overTheWire<M extends { readonly name: string; readonly body: unknown }>(
  world: World,
  message: M,
): M {
  if (!world.plan.isEncoded) return message;
  const name = message.name as MessageName;
  return { ...message, body: decode(name, encode(name, message.body as never)) };
}

export function overTheWireEvent(world: World, event: SchedulerEvent): SchedulerEvent {
  if (!world.plan.isEncoded) return event;
  return decode('SchedulerEvent', encode('SchedulerEvent', event));
}

/** Messages that whoever sends them may repeat. */
const repeatable: ReadonlySet<string> = new Set([
  'ReregisterSlaveMessage',
  'StatusUpdateMessage',
  'UpdateOperationStatusMessage',
  'UpdateSlaveMessage',
  'ExitedExecutorMessage',
  'PongSlaveMessage',
  'PingSlaveMessage',
  'SlaveReregisteredMessage',
  'KillTaskMessage',
  'ShutdownFrameworkMessage',
  'StatusUpdateAcknowledgementMessage',
  'AcknowledgeOperationStatusMessage',
  'ReconcileOperationsMessage',
  'DrainSlaveMessage',
  'UpdateFrameworkMessage',
]);

/** Sends a message, and perhaps once more: what comes twice on one connection comes in its order. */
export function sendPerhapsTwice(
  { plan, random }: World,
  { name }: { readonly name: string },
  send: () => void,
): void {
  send();
  if (plan.twiceChance > 0 && repeatable.has(name) && random.chance(plan.twiceChance)) send();
}

/** A message in a line of the story: its name and the ids that it is about. */
export function summaryOf({
  name,
  body,
}: {
  readonly name: string;
  readonly body: unknown;
}): string {
  const ids = new Set<string>();
  const look = (value: unknown, key: string): void => {
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
    if (/(task|executor)_id$/.test(key) && 'value' in value) ids.add(String(value.value));
    for (const [inner, one] of Object.entries(value)) look(one, inner);
  };
  look(body, '');
  const state = /"state":"(\w+)"/.exec(JSON.stringify(body) ?? '')?.[1] ?? '';
  return `${name} ${state} ${[...ids].join(' ')}`;
}
