// Every namespace has the service account `default` and the ConfigMap with the authority's certificate.
import { hasCode } from '#kube/client/api-call.ts';
import {
  keyOf,
  WorkQueue,
  type Controller,
  type ControllerServices,
} from '#kube/controllers/controller.ts';

export function serviceAccountController(services: ControllerServices): Controller {
  const { client, env, cache, rootCa } = services;
  const namespaces = cache('/api/v1/namespaces');
  const accounts = cache('/api/v1/serviceaccounts');
  const configMaps = cache('/api/v1/configmaps');

  const create = async (path: string, body: object): Promise<void> => {
    await client.call({ method: 'POST', path, body }).catch((error: unknown) => {
      if (!hasCode(error, 409, 404, 403)) throw error;
    });
  };

  const queue = new WorkQueue(
    'serviceaccount',
    async (namespace) => {
      const found = namespaces.get(namespace);
      if (found === undefined || found.metadata.deletionTimestamp !== undefined) return;
      const root = `/api/v1/namespaces/${namespace}`;
      if (accounts.get(`${namespace}/default`) === undefined) {
        const metadata = { name: 'default', namespace };
        await create(`${root}/serviceaccounts`, {
          apiVersion: 'v1',
          kind: 'ServiceAccount',
          metadata,
        });
      }
      const name = 'kube-root-ca.crt';
      const map = configMaps.get(`${namespace}/${name}`);
      const data = { 'ca.crt': rootCa };
      if (map === undefined) {
        const annotations = {
          'kubernetes.io/description':
            'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc.',
        };
        const metadata = { name, namespace, annotations };
        await create(`${root}/configmaps`, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
      } else if (map['data']?.['ca.crt'] !== rootCa) {
        await client.call({
          method: 'PUT',
          path: `${root}/configmaps/${name}`,
          body: { ...map, data },
        });
      }
    },
    env,
  );
  namespaces.onChange((one) => queue.add(keyOf(one)));
  accounts.onChange((one, isGone) => isGone && queue.add(one.metadata.namespace ?? ''));
  configMaps.onChange((one) => {
    if (one.metadata.name === 'kube-root-ca.crt') queue.add(one.metadata.namespace ?? '');
  });
  const keys = () => namespaces.list().map(keyOf);
  return { name: 'serviceaccount', queue, needs: [namespaces, accounts, configMaps], keys };
}
