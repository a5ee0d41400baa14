// Follows the metadata of every resource that discovery names, so that garbage/core.ts knows all owners.
import { errorChain } from '#base/fault.ts';
import { atMost } from '#env/at-most.ts';
import type { Timer } from '#env/env.ts';
import { discover, type DiscoveredResource } from '#kube/client/discovery.ts';
import { Informer } from '#kube/client/informer.ts';
import { customResourceDefinitions, resourceKey } from '#kube/client/resources.ts';
import { nothing, type Decision } from '#kube/controllers/effects.ts';
import { Controller, type ControllerServices } from '#kube/controllers/frame.ts';
import type { KubeObject, OwnerReference } from '#kube/meta/object.ts';
import { parseApiVersion } from '#kube/meta/object.ts';
import { settleDependent, settleOwner, type Standing } from './core.ts';
import {
  FOREGROUND,
  isGoing,
  isWaiting,
  ORPHAN,
  OwnerGraph,
  ownersOf,
  type GraphNode,
} from './graph.ts';

const DISCOVERY_MS = 30_000;
/** A definition is served a moment after it was made. */
const DEFINITION_MS = 500;
const SYNC_MS_MAX = 10_000;
const UNKNOWN_KIND_MS = 30_000;

const needed = ['list', 'watch', 'delete', 'patch'];

function isFollowed({ group, resource, verbs }: DiscoveredResource): boolean {
  // Events have no owners, and are many.
  const isEvent = resource === 'events' && (group === '' || group === 'events.k8s.io');
  return !isEvent && needed.every((verb) => verbs.includes(verb));
}

/** The followed resources, and the graph that they make. */
class Monitors {
  readonly graph = new OwnerGraph();
  readonly #services: ControllerServices;
  readonly #enqueue: (uid: string) => void;
  readonly #followed = new Map<string, { informer: Informer; resource: DiscoveredResource }>();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(services: ControllerServices, enqueue: (uid: string) => void) {
    this.#services = services;
    this.#enqueue = enqueue;
  }

  /** Of a kind, whichever version names it. */
  resourceOf(owner: OwnerReference): DiscoveredResource | undefined {
    const { group } = parseApiVersion(owner.apiVersion);
    for (const { resource } of this.#followed.values()) {
      if (resource.kind === owner.kind && resource.group === group) return resource;
    }
    return undefined;
  }

  async start(): Promise<void> {
    await this.rediscover();
    const synced = [...this.#followed.values()].map(({ informer }) => informer.whenSynced());
    // One resource that cannot be listed must not keep all others from being collected: what is not
    // in the graph is asked of the server.
    await atMost(SYNC_MS_MAX, Promise.all(synced), this.#services.env.timers);
  }

  rediscoverAfter(delayMs: number): void {
    if (this.#isClosed) return;
    this.#timer?.cancel();
    this.#timer = this.#services.env.timers.after(delayMs, () => void this.rediscover());
  }

  async rediscover(): Promise<void> {
    const { client, env } = this.#services;
    try {
      const resources = (await discover(client)).filter(isFollowed);
      if (this.#isClosed) return;
      const wanted = new Map(resources.map((one) => [resourceKey(one), one]));
      for (const [key, resource] of wanted)
        if (!this.#followed.has(key)) this.#follow(key, resource);
      for (const [key, { informer }] of this.#followed) {
        if (wanted.has(key)) continue;
        this.#followed.delete(key);
        for (const object of informer.list()) this.#remove(object);
        void informer.close();
      }
    } catch (error) {
      env.log.debug('Cannot discover resources', { error: errorChain(error) });
    }
    this.rediscoverAfter(DISCOVERY_MS);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await Promise.all([...this.#followed.values()].map(({ informer }) => informer.close()));
  }

  #follow(key: string, resource: DiscoveredResource): void {
    const { client, env } = this.#services;
    const informer = new Informer({ resource, isMetadataOnly: true, slim }, client, env);
    this.#followed.set(key, { informer, resource });
    const put = (object: KubeObject): void => {
      for (const uid of this.graph.put({ resource, object })) this.#enqueue(uid);
    };
    informer.addHandler({
      onAdd: put,
      onUpdate: (_old, object) => put(object),
      onDelete: (object) => this.#remove(object),
    });
    informer.start();
  }

  #remove(object: KubeObject): void {
    for (const uid of this.graph.remove(object.metadata.uid ?? '')) this.#enqueue(uid);
  }
}

/** Only what the graph is made of. */
function slim(object: KubeObject): KubeObject {
  const { metadata } = object;
  delete metadata.managedFields;
  delete metadata.annotations;
  delete metadata.labels;
  return object;
}

export function garbageController(services: ControllerServices): Controller {
  const { client, informers } = services;
  const monitors = new Monitors(services, (uid) => controller.enqueue(uid));
  const { graph } = monitors;

  /** The graph may be late, and a wrong answer deletes things: absence is asked of the server. */
  const standingOf = async (
    owner: OwnerReference,
    namespace: string | undefined,
  ): Promise<Standing | undefined> => {
    const known = graph.get(owner.uid);
    if (
      known !== undefined &&
      (!known.resource.isNamespaced || known.object.metadata.namespace === namespace)
    ) {
      return isWaiting(known, FOREGROUND) ? 'waiting' : 'solid';
    }
    const resource = monitors.resourceOf(owner);
    if (resource === undefined) return undefined;
    const place = { name: owner.name, ...(resource.isNamespaced ? { namespace } : {}) };
    if (resource.isNamespaced && namespace === undefined) return undefined;
    const live = await client.find(resource, place);
    if (live === undefined || live.metadata.uid !== owner.uid) return 'absent';
    return isWaiting({ resource, object: live }, FOREGROUND) ? 'waiting' : 'solid';
  };

  const settle = async (node: GraphNode): Promise<Decision> => {
    const standings = new Map<string, Standing>();
    const { namespace } = node.object.metadata;
    for (const owner of ownersOf(node)) {
      const standing = await standingOf(owner, namespace);
      // Of a kind that nobody serves: perhaps it will be, and perhaps not yet.
      if (standing === undefined) return { effects: [], againInMs: UNKNOWN_KIND_MS };
      standings.set(owner.uid, standing);
    }
    return settleDependent(node, standings, graph);
  };

  const controller = new Controller(
    {
      name: 'garbage',
      component: 'garbage-collector-controller',
      needs: [],
      ready: () => monitors.start(),
      keys: () => graph.uids(),
      reconcile: (uid) => {
        const node = graph.get(uid);
        if (node === undefined) return nothing;
        if (isWaiting(node, FOREGROUND) || isWaiting(node, ORPHAN)) return settleOwner(node, graph);
        return isGoing(node) || ownersOf(node).length === 0 ? nothing : settle(node);
      },
      workersMax: 20,
      onClose: () => monitors.close(),
    },
    services,
  );
  const onDefinition = (): void => monitors.rediscoverAfter(DEFINITION_MS);
  informers.informer(customResourceDefinitions).addHandler({
    onAdd: onDefinition,
    onUpdate: onDefinition,
    onDelete: onDefinition,
  });
  return controller;
}
