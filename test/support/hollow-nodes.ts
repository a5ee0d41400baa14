// Nodes with nobody behind them, for servers with controllers but no scheduler: pods are bound as they come and say of
// themselves what their image stands for. `…/works:…` ends well, `…/fails:…` badly, `…/missing:…` never starts, and
// anything else runs and is ready.
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from '#kube/client/client.ts';
import { leases, nodes, pods } from '#kube/client/resources.ts';
import type { KubeObject } from '#kube/meta/object.ts';

const LOOK_MS = 150;
/** Looks between two renewals of leases: without them upstream gives the nodes up after 50 s. */
const RENEWAL = 60;

interface PodSpec {
  readonly nodeName?: string;
  readonly containers: readonly { readonly name: string; readonly image: string }[];
  readonly affinity?: {
    readonly nodeAffinity?: {
      readonly requiredDuringSchedulingIgnoredDuringExecution?: {
        readonly nodeSelectorTerms: readonly {
          readonly matchFields?: readonly { readonly values: readonly string[] }[];
        }[];
      };
    };
  };
}

async function makeNode(client: KubeClient, name: string): Promise<void> {
  await client.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name } });
  const ready = { type: 'Ready', status: 'True', reason: 'Hollow' };
  const capacity = { cpu: '8', memory: '16Gi', pods: '110' };
  const status = { capacity, allocatable: capacity, conditions: [ready] };
  await client.patch(nodes, { name, type: 'strategic', subresource: 'status' }, { status });
  await client.create(leases, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, namespace: 'kube-node-lease' },
    spec: { holderIdentity: name, leaseDurationSeconds: 40 },
  } as KubeObject);
}

async function renew(client: KubeClient, name: string): Promise<void> {
  const renewTime = new Date().toISOString().replace('Z', '000Z');
  const place = { namespace: 'kube-node-lease', name };
  await client.patch(leases, { ...place, type: 'merge' }, { spec: { renewTime } });
}

/** The node that a pod of a daemon is for. */
function wantedNode({ affinity }: PodSpec): string | undefined {
  const { nodeSelectorTerms = [] } =
    affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? {};
  return nodeSelectorTerms[0]?.matchFields?.[0]?.values[0];
}

function statusOf({ containers }: PodSpec, address: string): object {
  const image = containers[0]?.image ?? '';
  const now = new Date().toISOString();
  const [isWell, isBad, isMissing] = ['works', 'fails', 'missing'].map((one) =>
    image.includes(`/${one}:`),
  );
  const isOver = isWell === true || isBad === true;
  const running = { running: { startedAt: now } };
  const ended = {
    terminated: { exitCode: isBad === true ? 1 : 0, startedAt: now, finishedAt: now },
  };
  const waiting = { waiting: { reason: 'ErrImagePull', message: 'there is no such image' } };
  const state = isMissing === true ? waiting : isOver ? ended : running;
  const isReady = !isOver && isMissing !== true;
  const conditions = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type, i) => ({
    type,
    status: i < 2 || isReady ? 'True' : 'False',
    lastTransitionTime: now,
  }));
  const phase =
    isMissing === true ? 'Pending' : isReady ? 'Running' : isBad === true ? 'Failed' : 'Succeeded';
  const containerStatuses = containers.map((one) => ({
    name: one.name,
    image: one.image,
    imageID: one.image,
    ready: isReady,
    started: isReady,
    restartCount: 0,
    state,
  }));
  return { phase, conditions, containerStatuses, podIP: address, startTime: now };
}

async function tend(
  client: KubeClient,
  pod: KubeObject,
  node: string,
  index: number,
): Promise<void> {
  const { name = '', namespace = '', deletionTimestamp } = pod.metadata;
  const spec = pod['spec'] as PodSpec;
  if (deletionTimestamp !== undefined) {
    await client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0 });
    return;
  }
  if (spec.nodeName === undefined) {
    const target = { kind: 'Node', name: wantedNode(spec) ?? node };
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name, namespace }, target };
    await client.create(pods, binding as KubeObject, { name, namespace, subresource: 'binding' });
  }
  const isNew = (pod['status'] as { startTime?: string }).startTime === undefined;
  if (!isNew) return;
  const status = statusOf(spec, `10.244.0.${(index % 250) + 1}`);
  await client.patch(
    pods,
    { namespace, name, type: 'strategic', subresource: 'status' },
    { status },
  );
}

/** Until the signal comes; what goes away meanwhile, or changes, is looked at again. */
export async function keepHollowNodes(
  client: KubeClient,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (const name of names) await makeNode(client, name);
  let index = 0;
  for (let look = 0; !signal.aborted; look++) {
    if (look % RENEWAL === 0) await Promise.all(names.map((name) => renew(client, name)));
    const { items } = await client.list(pods);
    for (const pod of items) {
      const node = names[index % names.length] ?? '';
      await tend(client, pod, node, index++).catch(() => {});
    }
    await sleep(LOOK_MS);
  }
}
