// Fills in the secrets that tokens of service accounts are to lie in, and deletes them with their accounts.
import { hasReason } from '#kube/client/client.ts';
import { keyOf } from '#kube/client/informer-store.ts';
import { secrets, serviceAccounts } from '#kube/client/resources.ts';
import { nothing, type Decision } from '#kube/controllers/effects.ts';
import { Controller, type ControllerServices } from '#kube/controllers/frame.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { dropReference, fill, isToken, meant, missing, ownerOf, remove } from './core.ts';

export function tokensController(services: ControllerServices): Controller {
  const { client, informers, rootCa, tokens } = services;
  const all = informers.informer(secrets);
  const accounts = informers.informer(serviceAccounts);
  /** Whose the secrets were that are gone. */
  const gone = new Map<string, ReturnType<typeof ownerOf>>();

  /** The informer may not have heard of an account that was made with its secret. */
  async function lookFor(namespace: string, name: string): Promise<KubeObject | undefined> {
    const known = accounts.get(`${namespace}/${name}`);
    if (known !== undefined) return known;
    try {
      return await client.get(serviceAccounts, { namespace, name });
    } catch (error) {
      if (hasReason(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async function decide(key: string): Promise<Decision> {
    const [namespace = '', name = ''] = key.split('/');
    const secret = all.get(key);
    if (secret === undefined) {
      const owner = gone.get(key);
      gone.delete(key);
      if (owner === undefined) return nothing;
      return dropReference(meant(accounts.get(`${namespace}/${owner.name}`), owner), name);
    }
    if (!isToken(secret) || tokens === undefined) return nothing;
    const owner = ownerOf(secret);
    const account = meant(await lookFor(namespace, owner.name), owner);
    if (account === undefined) return remove(secret);
    const { token: lacksToken } = missing(secret, rootCa);
    const token = lacksToken ? await tokens.issueLegacy(account, name) : undefined;
    return fill(secret, account, { rootCa, token });
  }

  const controller = new Controller(
    {
      name: 'serviceaccount-tokens',
      component: 'tokens-controller',
      needs: [all, accounts],
      keys: () => all.list().filter(isToken).map(keyOf),
      reconcile: decide,
    },
    services,
  );
  all.addHandler({
    onAdd: (one) => isToken(one) && controller.enqueue(keyOf(one)),
    onUpdate: (_old, one) => isToken(one) && controller.enqueue(keyOf(one)),
    onDelete: (one) => {
      if (!isToken(one)) return;
      gone.set(keyOf(one), ownerOf(one));
      controller.enqueue(keyOf(one));
    },
  });
  accounts.addHandler({
    onDelete: (account) => {
      const { namespace, name, uid } = account.metadata;
      for (const one of all.list()) {
        const owner = ownerOf(one);
        const isOwn = one.metadata.namespace === namespace && owner.name === name;
        if (isToken(one) && isOwn && owner.uid === uid) controller.enqueue(keyOf(one));
      }
    },
  });
  return controller;
}
