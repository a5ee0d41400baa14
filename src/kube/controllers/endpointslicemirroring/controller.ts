// Feeds endpointslicemirroring/core.ts: Endpoints, the services of their names, and the slices made of them.
import { keyOf } from '#kube/client/informer-store.ts';
import { endpoints, endpointSlices, services } from '#kube/client/resources.ts';
import { nothing } from '#kube/controllers/effects.ts';
import { MANAGED_BY, SERVICE_NAME } from '#kube/controllers/endpoints/slices.ts';
import { Controller, followOwn, type ControllerServices } from '#kube/controllers/frame.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { MIRROR, mirrorEndpoints } from './core.ts';

const byMirrored = 'mirrored';

/** The key of the Endpoints that a slice mirrors. */
function mirroredKey({ metadata: { labels, namespace } }: KubeObject): string | undefined {
  if (labels?.[MANAGED_BY] !== MIRROR) return undefined;
  return `${namespace}/${labels[SERVICE_NAME]}`;
}

export function endpointSliceMirroringController(context: ControllerServices): Controller {
  const { informers } = context;
  const wholes = informers.informer(endpoints);
  const all = informers.informer(services);
  const slices = informers.informer(endpointSlices);
  slices.addIndexers({ [byMirrored]: (slice) => [mirroredKey(slice) ?? ''] });
  const controller = new Controller(
    {
      name: 'endpointslicemirroring',
      component: 'endpoint-slice-mirroring-controller',
      needs: [wholes, all, slices],
      keys: () => wholes.list().map(keyOf),
      reconcile: (key) => {
        if (!controller.expectations.isSatisfied(key)) return nothing;
        return mirrorEndpoints({
          service: all.get(key),
          endpoints: wholes.get(key),
          slices: slices.byIndex(byMirrored, key),
        });
      },
    },
    context,
  );
  followOwn(wholes, controller);
  followOwn(all, controller);
  const onSlice = (slice: KubeObject): void => {
    const key = mirroredKey(slice);
    if (key !== undefined) controller.enqueue(key);
  };
  slices.addHandler({
    onAdd: (slice) => {
      const key = mirroredKey(slice);
      if (key !== undefined) controller.expectations.creationObserved(key);
      onSlice(slice);
    },
    onUpdate: (_old, slice) => onSlice(slice),
    onDelete: onSlice,
  });
  return controller;
}
