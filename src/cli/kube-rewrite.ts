// `strata kube rewrite NAME`: has every object of some resources written anew, so that the store holds it
// as it would be written now: encrypted, or with another key. By the API, while the instance runs; any
// kube-apiserver may be asked the same way.
import { join } from 'node:path';
import { Fault } from '#base/fault.ts';
import { KubeClient } from '#kube/client/client.ts';
import { discover, type DiscoveredResource } from '#kube/client/discovery.ts';

const PAGE = 500;
const AT_ONCE = 16;

export interface KubeRewriteOptions {
  readonly home: string;
  readonly name: string;
  /** `secrets`, `deployments.apps`, `*.apps`, `*.`, `*.*`; as in an EncryptionConfiguration. */
  readonly resources: readonly string[];
  readonly kubeconfig?: string | undefined;
}

function isMeant({ group, resource }: DiscoveredResource, names: readonly string[]): boolean {
  const full = group === '' ? resource : `${resource}.${group}`;
  return names.some((name) => name === full || name === `*.${group}` || name === '*.*');
}

interface Page {
  readonly metadata: { readonly continue?: string };
  readonly items: readonly { readonly metadata: { name: string; namespace?: string } }[];
}

/** The object as it is, put back: nothing changes but what lies in the store. */
async function putBack(client: KubeClient, path: string, at: string): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      const { text: body } = await client.request({ method: 'GET', path: at });
      await client.request({ method: 'PUT', path: at, body });
      return true;
    } catch (error) {
      const { reason, message } = error as Error & { reason?: string };
      // Somebody else has written it meanwhile, or it has gone: then there is nothing left to do.
      if (reason === 'NotFound') return false;
      if (reason !== 'Conflict' || tries > 10) {
        throw new Fault({ code: 'rewrite', path }, `Cannot rewrite ${at}: ${message}`, {
          cause: error,
        });
      }
    }
  }
}

async function rewriteAll(client: KubeClient, one: DiscoveredResource): Promise<number> {
  const { group, version, resource, kind, isNamespaced } = one;
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const path = `${root}/${resource}`;
  let count = 0;
  let next = '';
  do {
    const query = `limit=${PAGE}${next === '' ? '' : `&continue=${encodeURIComponent(next)}`}`;
    const { text } = await client.request({ method: 'GET', path: `${path}?${query}` });
    const { items, metadata } = JSON.parse(text) as Page;
    for (let i = 0; i < items.length; i += AT_ONCE) {
      const batch = items.slice(i, i + AT_ONCE).map(({ metadata: { name, namespace = '' } }) => {
        const place = isNamespaced ? `${root}/namespaces/${namespace}/${resource}` : path;
        return putBack(client, kind, `${place}/${name}`);
      });
      count += (await Promise.all(batch)).filter(Boolean).length;
    }
    next = metadata.continue ?? '';
  } while (next !== '');
  return count;
}

export async function kubeRewrite(options: KubeRewriteOptions): Promise<number> {
  const { home, name, resources } = options;
  const config = options.kubeconfig ?? join(home, 'kube', name, 'kubeconfig');
  const client = KubeClient.fromKubeconfig(config, { userAgent: 'strata-rewrite' });
  try {
    const all = await discover(client);
    const meant = all.filter(
      (one) =>
        isMeant(one, resources) && one.verbs.includes('list') && one.verbs.includes('update'),
    );
    if (meant.length === 0) {
      const what = resources.join(', ');
      throw new Fault({ code: 'bad-option' }, `Cannot rewrite ${what}: no such resource is served`);
    }
    for (const one of meant) {
      const count = await rewriteAll(client, one);
      const full = one.group === '' ? one.resource : `${one.resource}.${one.group}`;
      process.stdout.write(`rewrite: ${count} of ${full}\n`);
    }
    return 0;
  } finally {
    await client.close();
  }
}
