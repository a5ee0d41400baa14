// Keeps the graph of nodes and what belongs to them as the store has it.
import type { KubeObject } from '#kube/meta/object.ts';
import { objectOf, resourcePrefix } from '#kube/apiserver/object-store.ts';
import { prefixEnd, type Store } from '#store/store.ts';
import { NodeGraph } from './node-graph.ts';

interface Followed {
  readonly group: string;
  readonly resource: string;
  readonly set: (graph: NodeGraph, key: string, object: KubeObject) => void;
  readonly remove: (graph: NodeGraph, key: string) => void;
}

const specText = (object: KubeObject, field: string): string =>
  String(object['spec']?.[field] ?? '');

function owned(
  group: string,
  resource: 'volumeattachments' | 'resourceslices' | 'podcertificaterequests',
): Followed {
  return {
    group,
    resource,
    set: (graph, key, object) => graph.setOwned(resource, key, specText(object, 'nodeName')),
    remove: (graph, key) => graph.removeOwned(resource, key),
  };
}

const followed: readonly Followed[] = [
  {
    group: '',
    resource: 'pods',
    set: (graph, key, pod) => graph.setPod(key, pod),
    remove: (graph, key) => graph.removePod(key),
  },
  {
    group: '',
    resource: 'persistentvolumes',
    set: (graph, key, volume) => graph.setVolume(key, volume),
    remove: (graph, key) => graph.removeVolume(key),
  },
  owned('storage.k8s.io', 'volumeattachments'),
  owned('resource.k8s.io', 'resourceslices'),
  owned('certificates.k8s.io', 'podcertificaterequests'),
];

export class NodeRelations {
  readonly graph = new NodeGraph();
  readonly #watches: { cancel(): void }[] = [];

  async start(store: Store): Promise<void> {
    for (const one of followed) await this.#follow(store, one);
  }

  async #follow(store: Store, which: Followed): Promise<void> {
    const start = resourcePrefix(which);
    const end = prefixEnd(start);
    const { items, revision } = await store.range({ start, end });
    const { graph } = this;
    for (const kv of items) which.set(graph, kv.key.slice(start.length), objectOf(kv));
    const watch = store.watch(
      { start, end, startRevision: revision + 1 },
      {
        onEvents: (events) => {
          for (const event of events) {
            if (event.kind === 'put') {
              which.set(graph, event.kv.key.slice(start.length), objectOf(event.kv));
            } else which.remove(graph, event.key.slice(start.length));
          }
        },
        onEnd: () => {},
      },
    );
    this.#watches.push(watch);
  }

  close(): void {
    for (const watch of this.#watches) watch.cancel();
  }
}
