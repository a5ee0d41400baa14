// Performs what replicaset/core.ts decides.
import type { KubeObject } from '#kube/meta/object.ts';
import { hasCode } from '#kube/client/api-call.ts';
import {
  controllerOf,
  keyOf,
  ownerReference,
  recordEvent,
  splitKey,
  WorkQueue,
  type Controller,
  type ControllerServices,
} from '#kube/controllers/controller.ts';
import { Expectations } from '#kube/controllers/expectations.ts';
import { podFromTemplate } from '#kube/controllers/pods.ts';
import { planReplicaSet } from './core.ts';

const component = 'replicaset-controller';

export function replicaSetController(services: ControllerServices): Controller {
  const { client, env, cache } = services;
  const sets = cache('/apis/apps/v1/replicasets');
  const pods = cache('/api/v1/pods');
  const expectations = new Expectations();

  const createPod = async (set: KubeObject): Promise<void> => {
    const { namespace = '' } = set.metadata;
    const body = podFromTemplate(set['spec'].template, set, ownerReference(set));
    try {
      const pod = (await client.call({
        method: 'POST',
        path: `/api/v1/namespaces/${namespace}/pods`,
        body,
      })) as KubeObject;
      expectations.created(keyOf(set), pod.metadata.uid ?? '', env.clock.now());
      await recordEvent(services, set, {
        component,
        type: 'Normal',
        reason: 'SuccessfulCreate',
        message: `Created pod: ${pod.metadata.name}`,
      });
    } catch (error) {
      const message = `Error creating: ${(error as Error).message}`;
      await recordEvent(services, set, {
        component,
        type: 'Warning',
        reason: 'FailedCreate',
        message,
      });
      throw error;
    }
  };

  const deletePod = async (set: KubeObject, pod: KubeObject): Promise<void> => {
    const { namespace = '', name = '', uid = '' } = pod.metadata;
    expectations.deleted(keyOf(set), uid, env.clock.now());
    try {
      await client.call({
        method: 'DELETE',
        path: `/api/v1/namespaces/${namespace}/pods/${name}`,
        body: { preconditions: { uid } },
      });
      await recordEvent(services, set, {
        component,
        type: 'Normal',
        reason: 'SuccessfulDelete',
        message: `Deleted pod: ${name}`,
      });
    } catch (error) {
      if (!hasCode(error, 404, 409)) throw error;
    }
  };

  const adopt = async (set: KubeObject, pod: KubeObject): Promise<void> => {
    const { namespace = '', name = '', uid } = pod.metadata;
    await client.call({
      method: 'PATCH',
      path: `/api/v1/namespaces/${namespace}/pods/${name}`,
      contentType: 'application/strategic-merge-patch+json',
      body: { metadata: { uid, ownerReferences: [ownerReference(set)] } },
    });
  };

  const look = (namespace: string) => (uid: string) => {
    const pod = pods.list(namespace).find((one) => one.metadata.uid === uid);
    if (pod === undefined) return 'absent' as const;
    return pod.metadata.deletionTimestamp === undefined ? ('there' as const) : ('going' as const);
  };

  const queue = new WorkQueue(
    'replicaset',
    async (key) => {
      const set = sets.get(key);
      if (set === undefined) return;
      const { namespace, name } = splitKey(key);
      const now = env.clock.now();
      const plan = planReplicaSet(set, pods.list(namespace), now);
      if (expectations.isFulfilled(key, look(namespace), now)) {
        for (const pod of plan.adopt) await adopt(set, pod);
        const work = [
          ...Array.from({ length: plan.create }, () => createPod(set)),
          ...plan.remove.map((pod) => deletePod(set, pod)),
        ];
        const outcomes = await Promise.allSettled(work);
        const failed = outcomes.find((one) => one.status === 'rejected');
        if (failed !== undefined) throw failed.reason;
      }
      const current = { ...set['status'], conditions: undefined };
      if (JSON.stringify(sorted(current)) !== JSON.stringify(sorted(plan.status))) {
        await client.call({
          method: 'PUT',
          path: `/apis/apps/v1/namespaces/${namespace}/replicasets/${name}/status`,
          body: {
            ...set,
            status: {
              ...plan.status,
              ...(set['status']?.conditions === undefined
                ? {}
                : { conditions: set['status'].conditions }),
            },
          },
        });
      }
      return { againInMs: plan.againInMs };
    },
    env,
  );
  sets.onChange((set) => queue.add(keyOf(set)));
  pods.onChange((pod) => {
    const owner = controllerOf(pod, 'ReplicaSet');
    if (owner !== undefined) queue.add(`${pod.metadata.namespace}/${owner.name}`);
    else if (pod.metadata.ownerReferences === undefined) {
      for (const set of sets.list(pod.metadata.namespace)) queue.add(keyOf(set));
    }
  });
  return { name: 'replicaset', queue, needs: [sets, pods], keys: () => sets.list().map(keyOf) };
}

export function sorted(value: object): object {
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
