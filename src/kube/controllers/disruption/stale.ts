// Takes back what was said of pods that were to be disrupted and were not: two minutes later they are no
// targets any more.
import { keyOf } from '#kube/client/informer-store.ts';
import { pods } from '#kube/client/resources.ts';
import { nothing, type Decision } from '#kube/controllers/effects.ts';
import { Controller, type ControllerServices } from '#kube/controllers/frame.ts';
import { isGoing, isPodOver } from '#kube/controllers/pod-facts.ts';
import { conditionsOf, findCondition, timestamp, withCondition } from '#kube/meta/conditions.ts';
import type { KubeObject } from '#kube/meta/object.ts';

const TARGET = 'DisruptionTarget';
const STALE_MS = 2 * 60_000;
/** A kubelet that ends a pod may take as long as it takes. */
const BY_KUBELET = 'TerminationByKubelet';

function isTarget(pod: KubeObject): boolean {
  const condition = findCondition(conditionsOf(pod), TARGET);
  if (condition?.status !== 'True' || condition.reason === BY_KUBELET) return false;
  return !isGoing(pod) && !isPodOver(pod);
}

export function takeBack(pod: KubeObject, now: number): Decision {
  if (!isTarget(pod)) return nothing;
  const conditions = conditionsOf(pod);
  const since = findCondition(conditions, TARGET)?.lastTransitionTime ?? timestamp(0);
  const leftMs = Date.parse(since) + STALE_MS - now;
  if (leftMs > 0) return { effects: [], againInMs: leftMs };
  const none = {
    type: TARGET,
    status: 'False',
    observedGeneration: pod.metadata.generation,
  } as const;
  const next = withCondition(conditions, none, timestamp(now));
  const object = { ...pod, status: { ...pod['status'], conditions: next } };
  return { effects: [{ kind: 'update', resource: pods, object, subresource: 'status' }] };
}

export function staleDisruptionController(services: ControllerServices): Controller {
  const all = services.informers.informer(pods);
  const controller = new Controller(
    {
      name: 'stale-disruption',
      component: 'controllermanager',
      needs: [all],
      keys: () => all.list().filter(isTarget).map(keyOf),
      reconcile: (key, now) => {
        const pod = all.get(key);
        return pod === undefined ? nothing : takeBack(pod, now);
      },
    },
    services,
  );
  const look = (pod: KubeObject): void => {
    if (isTarget(pod)) controller.enqueue(keyOf(pod));
  };
  all.addHandler({ onAdd: look, onUpdate: (_old, pod) => look(pod) });
  return controller;
}
