// Which objects a client with selectors wants to hear of, and what an event of the store means to it.
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import {
  matchesFields,
  matchesLabels,
  type FieldRequirement,
  type LabelSelector,
} from '#kube/meta/selectors.ts';
import type { KeyValue, StoreEvent } from '#store/store.ts';
import { factsOf, type Facts } from './object-store.ts';

export interface Selection {
  readonly labels: LabelSelector;
  readonly fields: readonly FieldRequirement[];
}

export function isSelected(selection: Selection, facts: Facts): boolean {
  return (
    matchesLabels(selection.labels, facts.metadata.labels) && matchesFields(selection.fields, facts)
  );
}

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

export interface WatchEvent {
  readonly type: EventType;
  readonly kv: KeyValue;
  /** The version that the client is told. */
  readonly revision: number;
}

/** What the event means to a client with this selection; undefined when nothing. */
export function classify(
  info: ResourceInfo,
  event: StoreEvent,
  selection: Selection,
): WatchEvent | undefined {
  const isAll = selection.labels.length + selection.fields.length === 0;
  const wants = (kv: KeyValue): boolean => isAll || isSelected(selection, factsOf(info, kv));
  if (event.kind === 'delete') {
    if (!wants(event.previous)) return undefined;
    return { type: 'DELETED', kv: event.previous, revision: event.modRevision };
  }
  const { kv, previous } = event;
  const was = previous !== undefined && wants(previous);
  if (wants(kv)) return { type: was ? 'MODIFIED' : 'ADDED', kv, revision: kv.modRevision };
  // It left the selection: the client gets its last state of interest, at the new version.
  if (was && previous !== undefined)
    return { type: 'DELETED', kv: previous, revision: kv.modRevision };
  return undefined;
}
