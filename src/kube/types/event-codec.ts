// Events are one kind of object in two groups: what is stored is the core one, and events.k8s.io reads and
// writes it under its own names.
import type { KubeObject } from '#kube/meta/object.ts';
import type { ObjectCodec } from '#kube/meta/resource-info.ts';

type Json = Record<string, unknown>;

/** Field of events.k8s.io/v1 -> field of v1. */
const names: Readonly<Record<string, string>> = {
  regarding: 'involvedObject',
  note: 'message',
  deprecatedSource: 'source',
  deprecatedFirstTimestamp: 'firstTimestamp',
  deprecatedLastTimestamp: 'lastTimestamp',
  deprecatedCount: 'count',
  reportingController: 'reportingComponent',
};
const newNames = Object.fromEntries(Object.entries(names).map(([a, b]) => [b, a]));

function renamed(object: KubeObject, map: Readonly<Record<string, string>>): Json {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [map[key] ?? key, value]));
}

function withoutEmpty(event: Json, fields: readonly string[]): Json {
  return Object.fromEntries(
    Object.entries(event).filter(([key, value]) => value !== '' || !fields.includes(key)),
  );
}

export const eventCodec: ObjectCodec = {
  mayCall: false,
  needsCall: () => false,
  read(stored) {
    const event = renamed(stored, newNames);
    const filled = {
      ...event,
      apiVersion: 'events.k8s.io/v1',
      regarding: event['regarding'] ?? {},
      deprecatedSource: event['deprecatedSource'] ?? {},
      deprecatedFirstTimestamp: event['deprecatedFirstTimestamp'] ?? null,
      deprecatedLastTimestamp: event['deprecatedLastTimestamp'] ?? null,
      eventTime: event['eventTime'] ?? null,
    };
    const optional = ['reportingController', 'reportingInstance', 'note'];
    return withoutEmpty(filled, optional) as KubeObject;
  },
  readAll: async (stored) => stored.map((one) => eventCodec.read(one)),
  async write(object) {
    const event = renamed(object, names);
    return {
      ...event,
      apiVersion: 'v1',
      involvedObject: event['involvedObject'] ?? {},
      source: event['source'] ?? {},
      firstTimestamp: event['firstTimestamp'] ?? null,
      lastTimestamp: event['lastTimestamp'] ?? null,
      eventTime: event['eventTime'] ?? null,
      reportingComponent: event['reportingComponent'] ?? '',
      reportingInstance: event['reportingInstance'] ?? '',
    } as unknown as KubeObject;
  },
};
