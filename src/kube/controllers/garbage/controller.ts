// The garbage collector: objects whose owners are all gone go, too; owners deleted in the foreground
// wait for what they own, and those that orphan let it go free. Works on every resource by discovery.
import type { KubeObject, OwnerReference } from '#kube/meta/object.ts';
import { hasCode } from '#kube/client/api-call.ts';
import {
  Cache,
  WorkQueue,
  type Controller,
  type ControllerServices,
} from '#kube/controllers/controller.ts';

interface ApiResource {
  readonly name: string;
  readonly namespaced: boolean;
  readonly kind: string;
  readonly verbs: readonly string[];
}

interface Place {
  readonly root: string;
  readonly resource: string;
  readonly kind: string;
  readonly apiVersion: string;
  readonly namespaced: boolean;
}

interface Known {
  readonly object: KubeObject;
  readonly place: Place;
}

const DISCOVERY_MS = 2_000;
const ignored = new Set(['events', 'componentstatuses', 'bindings']);

async function discover({ client }: ControllerServices): Promise<Place[]> {
  const groups = (await client.call({ method: 'GET', path: '/apis' })) as {
    groups: { preferredVersion: { groupVersion: string } }[];
  };
  const versions = ['v1', ...groups.groups.map((one) => one.preferredVersion.groupVersion)];
  const found: Place[] = [];
  for (const apiVersion of versions) {
    const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
    const list = (await client.call({ method: 'GET', path: root })) as {
      resources: readonly ApiResource[];
    };
    for (const { name, namespaced, kind, verbs } of list.resources) {
      const isUsable = ['list', 'watch', 'delete'].every((verb) => verbs.includes(verb));
      if (isUsable && !name.includes('/') && !ignored.has(name))
        found.push({ root, resource: name, kind, apiVersion, namespaced });
    }
  }
  return found;
}

export function garbageController(services: ControllerServices): Controller {
  const { client, env, cache } = services;
  const known = new Map<string, Known>();
  const owned = new Map<string, Set<string>>();
  const caches = new Map<string, Cache>();
  let isReady = false;

  const pathOf = ({ object, place }: Known): string => {
    const { namespace, name } = object.metadata;
    const middle = place.namespaced ? `/namespaces/${namespace}` : '';
    return `${place.root}${middle}/${place.resource}/${name}`;
  };

  const index = (object: KubeObject, sign: 'add' | 'delete'): void => {
    const uid = object.metadata.uid ?? '';
    for (const owner of object.metadata.ownerReferences ?? []) {
      const dependents = owned.get(owner.uid) ?? new Set<string>();
      dependents[sign](uid);
      if (dependents.size === 0) owned.delete(owner.uid);
      else owned.set(owner.uid, dependents);
    }
  };

  const follow = (place: Place): Cache => {
    const path = `${place.root}/${place.resource}`;
    const source = cache(path);
    caches.set(path, source);
    const put = (object: KubeObject, isGone: boolean): void => {
      const uid = object.metadata.uid ?? '';
      const before = known.get(uid);
      if (before !== undefined) index(before.object, 'delete');
      if (isGone) known.delete(uid);
      else {
        known.set(uid, { object, place });
        index(object, 'add');
      }
      const isConcerned =
        (object.metadata.ownerReferences ?? []).length > 0 ||
        object.metadata.deletionTimestamp !== undefined;
      if (isConcerned && !isGone) queue.add(uid);
      if (isGone || object.metadata.deletionTimestamp !== undefined) {
        for (const dependent of owned.get(uid) ?? []) queue.add(dependent);
      }
      if (isGone) for (const owner of object.metadata.ownerReferences ?? []) queue.add(owner.uid);
    };
    source.onChange(put);
    for (const object of source.list()) put(object, false);
    return source;
  };

  /** The owner as the server has it: a cache may be late, and a wrong answer deletes things. */
  const isAbsent = async (
    owner: OwnerReference,
    namespace: string | undefined,
  ): Promise<boolean> => {
    const found = known.get(owner.uid);
    if (found !== undefined) return false;
    const place = [...places.values()].find(
      (one) =>
        one.kind === owner.kind && one.apiVersion.split('/')[0] === owner.apiVersion.split('/')[0],
    );
    if (place === undefined) return false;
    const middle = place.namespaced ? `/namespaces/${namespace}` : '';
    try {
      const live = (await client.call({
        method: 'GET',
        path: `${place.root}${middle}/${place.resource}/${owner.name}`,
      })) as KubeObject;
      return live.metadata.uid !== owner.uid;
    } catch (error) {
      if (hasCode(error, 404)) return true;
      throw error;
    }
  };

  const patchFinalizers = async (one: Known, without: string): Promise<void> => {
    const { uid, resourceVersion, finalizers = [] } = one.object.metadata;
    const left = finalizers.filter((name) => name !== without);
    const body = { metadata: { uid, resourceVersion, finalizers: left } };
    await client.call({
      method: 'PATCH',
      path: pathOf(one),
      contentType: 'application/merge-patch+json',
      body,
    });
  };

  const dropOwner = async (one: Known, gone: (owner: OwnerReference) => boolean): Promise<void> => {
    const { uid, resourceVersion, ownerReferences = [] } = one.object.metadata;
    const left = ownerReferences.filter((owner) => !gone(owner));
    const body = { metadata: { uid, resourceVersion, ownerReferences: left } };
    await client.call({
      method: 'PATCH',
      path: pathOf(one),
      contentType: 'application/merge-patch+json',
      body,
    });
  };

  const finishOwner = async (one: Known): Promise<void> => {
    const { uid = '', finalizers = [] } = one.object.metadata;
    const dependents = [...(owned.get(uid) ?? [])]
      .map((id) => known.get(id))
      .filter((found) => found !== undefined);
    if (finalizers.includes('orphan')) {
      for (const dependent of dependents) await dropOwner(dependent, (owner) => owner.uid === uid);
      await patchFinalizers(one, 'orphan');
      return;
    }
    if (!finalizers.includes('foregroundDeletion')) return;
    const isBlocking = (object: KubeObject): boolean =>
      object.metadata.ownerReferences?.some(
        (owner) => owner.uid === uid && owner.blockOwnerDeletion === true,
      ) === true;
    if (dependents.some(({ object }) => isBlocking(object))) return;
    await patchFinalizers(one, 'foregroundDeletion');
  };

  const places = new Map<string, Place>();

  const reconcile = async (uid: string): Promise<void> => {
    const one = known.get(uid);
    if (one === undefined) return;
    const { object } = one;
    const { namespace, deletionTimestamp, ownerReferences = [] } = object.metadata;
    if (deletionTimestamp !== undefined) await finishOwner(one);
    if (deletionTimestamp !== undefined || ownerReferences.length === 0) return;
    const absent: OwnerReference[] = [];
    let isWaitedFor = false;
    for (const owner of ownerReferences) {
      if (await isAbsent(owner, namespace)) absent.push(owner);
      else if (
        known.get(owner.uid)?.object.metadata.finalizers?.includes('foregroundDeletion') === true
      )
        isWaitedFor = true;
    }
    const solid = ownerReferences.length - absent.length;
    if (solid > 0 && !isWaitedFor) {
      if (absent.length > 0) await dropOwner(one, (owner) => absent.includes(owner));
      return;
    }
    const propagationPolicy = isWaitedFor ? 'Foreground' : 'Background';
    const body = { propagationPolicy, preconditions: { uid } };
    await client.call({ method: 'DELETE', path: pathOf(one), body });
  };

  const queue = new WorkQueue('garbage', reconcile, env);
  let isClosed = false;
  const rediscover = async (): Promise<void> => {
    if (isClosed) return;
    try {
      for (const place of await discover(services)) {
        const path = `${place.root}/${place.resource}`;
        if (places.has(path)) continue;
        places.set(path, place);
        follow(place);
      }
      if (!isReady) {
        await Promise.all([...caches.values()].map(({ synced }) => synced));
        isReady = true;
        queue.resume();
      }
    } catch (error) {
      env.log.debug('Discovery failed', { error });
    }
    if (!isClosed) env.timers.after(DISCOVERY_MS, () => void rediscover());
  };
  void rediscover();
  return {
    name: 'garbage',
    queue: { ...emptyQueue, close: () => queue.close() } as unknown as WorkQueue,
    needs: [],
    keys: () => [],
    close: () => {
      isClosed = true;
    },
  };
}

/** The frame's own start must not begin the work: that waits for discovery. */
const emptyQueue = { add: () => {}, addAfter: () => {}, resume: () => {} };
