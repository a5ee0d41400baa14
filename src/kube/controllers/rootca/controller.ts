// Every namespace has the ConfigMap by whose certificate pods verify the API server.
import { keyOf } from '#kube/client/informer-store.ts';
import { configMaps, namespaces } from '#kube/client/resources.ts';
import { nothing, type Decision } from '#kube/controllers/effects.ts';
import { Controller, followOwn, type ControllerServices } from '#kube/controllers/frame.ts';
import type { KubeObject } from '#kube/meta/object.ts';

export const NAME = 'kube-root-ca.crt';
const DESCRIPTION = 'kubernetes.io/description';
const description =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.';

export function publish(
  space: KubeObject | undefined,
  map: KubeObject | undefined,
  rootCa: string,
): Decision {
  if (space === undefined || space['status']?.phase === 'Terminating') return nothing;
  const data = { 'ca.crt': rootCa };
  const annotations = { [DESCRIPTION]: description };
  const namespace = space.metadata.name ?? '';
  if (map === undefined) {
    const metadata = { name: NAME, namespace, annotations };
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data };
    return { effects: [{ kind: 'create', resource: configMaps, object, mayExist: true }] };
  }
  const isRight = map['data']?.['ca.crt'] === rootCa && Object.keys(map['data']).length === 1;
  if (isRight && map.metadata.annotations?.[DESCRIPTION] !== undefined) return nothing;
  const metadata = {
    ...map.metadata,
    annotations: { ...map.metadata.annotations, ...annotations },
  };
  return {
    effects: [{ kind: 'update', resource: configMaps, object: { ...map, metadata, data } }],
  };
}

export function rootCaController(services: ControllerServices): Controller {
  const { informers, rootCa } = services;
  const spaces = informers.informer(namespaces);
  const maps = informers.informer(configMaps);
  const controller = new Controller(
    {
      name: 'rootca',
      component: 'root-ca-certificate-publisher',
      needs: [spaces, maps],
      keys: () => spaces.list().map(keyOf),
      reconcile: (namespace) =>
        publish(spaces.get(namespace), maps.get(`${namespace}/${NAME}`), rootCa),
    },
    services,
  );
  followOwn(spaces, controller);
  const enqueue = (map: KubeObject): void => {
    if (map.metadata.name === NAME) controller.enqueue(map.metadata.namespace ?? '');
  };
  maps.addHandler({ onUpdate: (_old, map) => enqueue(map), onDelete: enqueue });
  return controller;
}
