// Watches on a resource: events out of the store, filtered for each client, encoded once for all of
// them, written in batches; bookmarks; a client that does not keep up is cut off.
import type { KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import {
  matchesFields,
  matchesLabels,
  type FieldRequirement,
  type LabelSelector,
} from '#kube/meta/selectors.ts';
import type { KeyValue, StoreEvent } from '#store/store.ts';
import { deletedText, objectOf, textOf } from './object-store.ts';

export interface Selection {
  readonly labels: LabelSelector;
  readonly fields: readonly FieldRequirement[];
}

export const everything: Selection = { labels: [], fields: [] };

export function isSelected(selection: Selection, object: KubeObject): boolean {
  return (
    matchesLabels(selection.labels, object.metadata.labels) &&
    matchesFields(selection.fields, object)
  );
}

export interface WatchEventText {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly kv: KeyValue;
  readonly revision: number;
}

/** What the event means to a client with this selection; undefined when nothing. */
export function classify(event: StoreEvent, selection: Selection): WatchEventText | undefined {
  if (event.kind === 'delete') {
    if (!isSelected(selection, objectOf(event.previous))) return undefined;
    return { type: 'DELETED', kv: event.previous, revision: event.modRevision };
  }
  const { kv, previous } = event;
  const isNow = isSelected(selection, objectOf(kv));
  const was = previous !== undefined && isSelected(selection, objectOf(previous));
  if (isNow) return { type: was ? 'MODIFIED' : 'ADDED', kv, revision: kv.modRevision };
  // It left the selection: the client gets its last state of interest, at the new version.
  if (was && previous !== undefined)
    return { type: 'DELETED', kv: previous, revision: kv.modRevision };
  return undefined;
}

const lines = new WeakMap<KeyValue, Map<string, string>>();

/** One line of the stream; the same text for every client that gets it. */
export function lineOf(event: WatchEventText): string {
  const key = `${event.type}${event.revision}`;
  const known = lines.get(event.kv) ?? new Map<string, string>();
  lines.set(event.kv, known);
  let line = known.get(key);
  if (line === undefined) {
    const text =
      event.type === 'DELETED' ? deletedText(event.kv, event.revision) : textOf(event.kv);
    line = `{"type":"${event.type}","object":${text}}\n`;
    known.set(key, line);
  }
  return line;
}

export function bookmarkLine(info: ResourceInfo, revision: number, isInitialEnd: boolean): string {
  const apiVersion = info.group === '' ? info.version : `${info.group}/${info.version}`;
  const annotations = isInitialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
  const metadata = { resourceVersion: String(revision), creationTimestamp: null, ...annotations };
  return `${JSON.stringify({ type: 'BOOKMARK', object: { kind: info.kind, apiVersion, metadata } })}\n`;
}
