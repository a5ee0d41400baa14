// Marks, and a year later deletes, tokens that were once made for every account and that nobody uses.
import { hasReason } from '#kube/client/client.ts';
import { keyOf } from '#kube/client/informer-store.ts';
import { configMaps, pods, secrets, serviceAccounts } from '#kube/client/resources.ts';
import { nothing, type Decision } from '#kube/controllers/effects.ts';
import { Controller, type ControllerServices } from '#kube/controllers/frame.ts';
import { podSecrets } from '#kube/meta/pod-references.ts';
import { cleanUp, isToken, isTracked, meant, ownerOf } from './core.ts';

const TRACKING = {
  namespace: 'kube-system',
  name: 'kube-apiserver-legacy-service-account-token-tracking',
};
const RESYNC_MS = 24 * 60 * 60 * 1_000;

export function tokenCleaner(services: ControllerServices): Controller {
  const { client, informers } = services;
  const all = informers.informer(secrets);
  const accounts = informers.informer(serviceAccounts);
  const running = informers.informer(pods);

  async function trackedSince(): Promise<string | undefined> {
    try {
      return (await client.get(configMaps, TRACKING))['data']?.['since'];
    } catch (error) {
      if (hasReason(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async function decide(key: string, now: number): Promise<Decision> {
    const secret = all.get(key);
    if (secret === undefined || !isTracked(await trackedSince(), now)) return nothing;
    const { namespace = '', name = '' } = secret.metadata;
    const owner = ownerOf(secret);
    const account = meant(accounts.get(`${namespace}/${owner.name}`), owner);
    const isMounted = running
      .list()
      .some((pod) => pod.metadata.namespace === namespace && podSecrets(pod).includes(name));
    return cleanUp(secret, account, { isMounted, now });
  }

  return new Controller(
    {
      name: 'serviceaccount-token-cleaner',
      component: 'legacy-service-account-token-cleaner',
      needs: [all, accounts, running],
      keys: () => all.list().filter(isToken).map(keyOf),
      reconcile: decide,
      resyncMs: RESYNC_MS,
    },
    services,
  );
}
