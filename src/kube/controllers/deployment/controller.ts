// Performs what deployment/core.ts decides.
import type { KubeObject } from '#kube/meta/object.ts';
import { hasCode } from '#kube/client/api-call.ts';
import {
  controllerOf,
  keyOf,
  ownerReference,
  recordEvent,
  splitKey,
  timestamp,
  WorkQueue,
  type Controller,
  type ControllerServices,
} from '#kube/controllers/controller.ts';
import {
  DESIRED,
  HASH_LABEL,
  MAX,
  planDeployment,
  REVISION,
  boundsOf,
  templateHash,
  type Scale,
} from './core.ts';

const component = 'deployment-controller';

export function deploymentController(services: ControllerServices): Controller {
  const { client, env, cache } = services;
  const deployments = cache('/apis/apps/v1/deployments');
  const sets = cache('/apis/apps/v1/replicasets');
  const pods = cache('/api/v1/pods');
  /** Sets just written, until the cache shows them: key -> resourceVersion. */
  const written = new Map<string, Map<string, string>>();

  const remember = (deployment: KubeObject, set: KubeObject): void => {
    const mine = written.get(keyOf(deployment)) ?? new Map<string, string>();
    written.set(keyOf(deployment), mine);
    mine.set(keyOf(set), set.metadata.resourceVersion ?? '0');
  };

  const isCurrent = (key: string): boolean => {
    const mine = written.get(key);
    if (mine === undefined) return true;
    for (const [set, version] of mine) {
      const seen = Number(sets.get(set)?.metadata.resourceVersion ?? 0);
      if (seen >= Number(version)) mine.delete(set);
    }
    return mine.size === 0;
  };

  const scale = async (deployment: KubeObject, { set, replicas }: Scale): Promise<void> => {
    const { namespace = '', name = '' } = set.metadata;
    const { wanted, maxSurge } = boundsOf(deployment);
    const annotations = { [DESIRED]: String(wanted), [MAX]: String(wanted + maxSurge) };
    const result = (await client.call({
      method: 'PATCH',
      path: `/apis/apps/v1/namespaces/${namespace}/replicasets/${name}`,
      contentType: 'application/merge-patch+json',
      body: { metadata: { annotations }, spec: { replicas } },
    })) as KubeObject;
    remember(deployment, result);
    const before = Number(set['spec']?.replicas ?? 0);
    const word = replicas > before ? 'up' : 'down';
    const message = `Scaled ${word} replica set ${name} from ${before} to ${replicas}`;
    await recordEvent(services, deployment, {
      component,
      type: 'Normal',
      reason: 'ScalingReplicaSet',
      message,
    });
  };

  const createSet = async (
    deployment: KubeObject,
    replicas: number,
    revision: string,
  ): Promise<void> => {
    const { namespace = '', name = '' } = deployment.metadata;
    const { spec } = { spec: deployment['spec'] };
    const hash = templateHash(spec.template, Number(deployment['status']?.collisionCount ?? 0));
    const { wanted, maxSurge } = boundsOf(deployment);
    const labels = { ...spec.template.metadata?.labels, [HASH_LABEL]: hash };
    const { 'kubectl.kubernetes.io/last-applied-configuration': _applied, ...inherited } =
      deployment.metadata.annotations ?? {};
    const body = {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `${name}-${hash}`,
        namespace,
        labels,
        annotations: {
          ...inherited,
          [DESIRED]: String(wanted),
          [MAX]: String(wanted + maxSurge),
          [REVISION]: revision,
        },
        ownerReferences: [ownerReference(deployment)],
      },
      spec: {
        replicas,
        ...(spec.minReadySeconds === undefined ? {} : { minReadySeconds: spec.minReadySeconds }),
        selector: {
          ...spec.selector,
          matchLabels: { ...spec.selector.matchLabels, [HASH_LABEL]: hash },
        },
        template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
      },
    };
    const path = `/apis/apps/v1/namespaces/${namespace}/replicasets`;
    try {
      remember(deployment, (await client.call({ method: 'POST', path, body })) as KubeObject);
    } catch (error) {
      // The cache may only be late; a name that is taken by another template is counted.
      if (!hasCode(error, 409)) throw error;
      const existing = (await client.call({
        method: 'GET',
        path: `${path}/${name}-${hash}`,
      })) as KubeObject;
      if (
        existing.metadata.ownerReferences?.some(({ uid }) => uid === deployment.metadata.uid) ===
        true
      )
        return;
      const collisionCount = Number(deployment['status']?.collisionCount ?? 0) + 1;
      await writeStatus(deployment, { ...deployment['status'], collisionCount });
      return;
    }
    const message = `Scaled up replica set ${name}-${hash} from 0 to ${replicas}`;
    await recordEvent(services, deployment, {
      component,
      type: 'Normal',
      reason: 'ScalingReplicaSet',
      message,
    });
  };

  const writeStatus = async (
    deployment: KubeObject,
    status: Record<string, unknown>,
  ): Promise<void> => {
    const { namespace = '', name = '' } = deployment.metadata;
    const path = `/apis/apps/v1/namespaces/${namespace}/deployments/${name}/status`;
    await client.call({ method: 'PUT', path, body: { ...deployment, status } });
  };

  const annotate = async (path: string, annotations: Record<string, string>): Promise<KubeObject> =>
    (await client.call({
      method: 'PATCH',
      path,
      contentType: 'application/merge-patch+json',
      body: { metadata: { annotations } },
    })) as KubeObject;

  const reconcile = async (key: string) => {
    const deployment = deployments.get(key);
    if (deployment === undefined) return void written.delete(key);
    if (!isCurrent(key)) return { againInMs: 100 };
    const { namespace, name } = splitKey(key);
    const now = env.clock.now();
    const oldPods = (old: readonly KubeObject[]): number => {
      const uids = new Set(old.map(({ metadata }) => metadata.uid));
      const isOld = (pod: KubeObject): boolean =>
        pod.metadata.ownerReferences?.some(({ uid }) => uids.has(uid)) === true &&
        !['Succeeded', 'Failed'].includes(pod['status']?.phase);
      return pods.list(namespace).filter(isOld).length;
    };
    const plan = planDeployment({
      deployment,
      sets: sets.list(namespace),
      oldPods,
      time: timestamp(now),
      now,
    });
    const root = `/apis/apps/v1/namespaces/${namespace}`;
    for (const set of plan.adopt) {
      const body = {
        metadata: { uid: set.metadata.uid, ownerReferences: [ownerReference(deployment)] },
      };
      await client.call({
        method: 'PATCH',
        path: `${root}/replicasets/${set.metadata.name}`,
        contentType: 'application/strategic-merge-patch+json',
        body,
      });
    }
    for (const { set, annotations } of plan.annotate) {
      remember(deployment, await annotate(`${root}/replicasets/${set.metadata.name}`, annotations));
    }
    if (
      deployment.metadata.annotations?.[REVISION] !== plan.revision &&
      deployment.metadata.deletionTimestamp === undefined
    ) {
      await annotate(`${root}/deployments/${name}`, { [REVISION]: plan.revision });
    }
    if (plan.create !== undefined) await createSet(deployment, plan.create.replicas, plan.revision);
    for (const one of plan.scales) await scale(deployment, one);
    for (const set of plan.remove) {
      await client
        .call({ method: 'DELETE', path: `${root}/replicasets/${set.metadata.name}` })
        .catch((error: unknown) => {
          if (!hasCode(error, 404)) throw error;
        });
    }
    const latest = deployments.get(key) ?? deployment;
    if (JSON.stringify(latest['status'] ?? {}) !== JSON.stringify(plan.status)) {
      const current = (await client.call({
        method: 'GET',
        path: `${root}/deployments/${name}`,
      })) as KubeObject;
      await writeStatus(current, plan.status);
    }
    return;
  };

  const queue = new WorkQueue('deployment', reconcile, env);
  deployments.onChange((one) => queue.add(keyOf(one)));
  sets.onChange((set) => {
    const owner = controllerOf(set, 'Deployment');
    if (owner !== undefined) queue.add(`${set.metadata.namespace}/${owner.name}`);
  });
  pods.onChange((pod, isGone) => {
    // Recreate waits for the last pod of the old sets.
    const owner = isGone ? controllerOf(pod, 'ReplicaSet') : undefined;
    const set =
      owner === undefined ? undefined : sets.get(`${pod.metadata.namespace}/${owner.name}`);
    const above = set === undefined ? undefined : controllerOf(set, 'Deployment');
    if (above !== undefined) queue.add(`${pod.metadata.namespace}/${above.name}`);
  });
  return {
    name: 'deployment',
    queue,
    needs: [deployments, sets, pods],
    keys: () => deployments.list().map(keyOf),
  };
}
