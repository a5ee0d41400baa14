// Keeps the graph of nodes and what belongs to them as the store has it.
import type { KubeObject } from '#kube/meta/object.ts';
import { followObjects } from '#kube/apiserver/followed-objects.ts';
import type { Log } from '#env/env.ts';
import type { Store } from '#store/store.ts';
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

  async start(store: Store, log: Log): Promise<void> {
    const { graph } = this;
    for (const one of followed) {
      const follower = {
        put: (key: string, object: KubeObject) => one.set(graph, key, object),
        gone: (key: string) => one.remove(graph, key),
      };
      this.#watches.push(await followObjects({ store, log }, one, follower));
    }
  }

  close(): void {
    for (const watch of this.#watches) watch.cancel();
  }
}
