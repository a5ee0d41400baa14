// Every namespace has the service account `default`, again when somebody deletes it.
import { keyOf } from '#kube/client/informer-store.ts';
import { namespaces, serviceAccounts } from '#kube/client/resources.ts';
import { nothing } from '#kube/controllers/effects.ts';
import { Controller, followOwn, type ControllerServices } from '#kube/controllers/frame.ts';

const NAME = 'default';

export function serviceAccountController(services: ControllerServices): Controller {
  const { informers } = services;
  const spaces = informers.informer(namespaces);
  const accounts = informers.informer(serviceAccounts);
  const controller = new Controller(
    {
      name: 'serviceaccount',
      component: 'serviceaccount-controller',
      needs: [spaces, accounts],
      keys: () => spaces.list().map(keyOf),
      reconcile: (namespace) => {
        const space = spaces.get(namespace);
        if (space === undefined || space['status']?.phase === 'Terminating') return nothing;
        if (accounts.get(`${namespace}/${NAME}`) !== undefined) return nothing;
        const object = {
          apiVersion: 'v1',
          kind: 'ServiceAccount',
          metadata: { name: NAME, namespace },
        };
        return { effects: [{ kind: 'create', resource: serviceAccounts, object, mayExist: true }] };
      },
    },
    services,
  );
  followOwn(spaces, controller);
  accounts.addHandler({ onDelete: (one) => controller.enqueue(one.metadata.namespace ?? '') });
  return controller;
}
