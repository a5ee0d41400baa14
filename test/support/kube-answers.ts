// Plays the corpus of objects, good and bad, against an API server.
import { Player } from './kube-differential/player.ts';
import type { Recording } from './kube-differential/record.ts';
import { changed, corpus, type Case } from './kube-corpus.ts';
import type { SendRaw } from './kube-sender.ts';

type Json = Record<string, unknown>;

export const namespace = 'diff';

const plurals: Readonly<Record<string, string>> = {
  Ingress: 'ingresses',
  IngressClass: 'ingressclasses',
  NetworkPolicy: 'networkpolicies',
  RuntimeClass: 'runtimeclasses',
  PriorityClass: 'priorityclasses',
  StorageClass: 'storageclasses',
  Endpoints: 'endpoints',
};

const clusterKinds = new Set([
  'Namespace',
  'Node',
  'PersistentVolume',
  'ClusterRole',
  'IngressClass',
  'RuntimeClass',
  'PriorityClass',
  'StorageClass',
  'CSIDriver',
  'ValidatingWebhookConfiguration',
  'CustomResourceDefinition',
]);

export function collection(base: Json): string {
  const { apiVersion, kind } = base as { apiVersion: string; kind: string };
  const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  const resource = plurals[kind] ?? `${kind.toLowerCase()}s`;
  return clusterKinds.has(kind)
    ? `${root}/${resource}`
    : `${root}/namespaces/${namespace}/${resource}`;
}

async function answer(player: Player, one: Case): Promise<void> {
  const query = 'dryRun=All&fieldValidation=Strict&fieldManager=corpus';
  const path = collection(one.base);
  const { name } = one.base['metadata'] as { name: string };
  // The name of a case is that of its scene and what is changed.
  const step = one.name.split(' ').slice(2).join(' ');
  if (one.operation === 'create') {
    await player.ask(step, 'POST', path, { query, body: changed(one.base, one.change) });
  } else {
    const live = await player.quietly('GET', `${path}/${name}`);
    await player.ask(step, 'PUT', `${path}/${name}`, { query, body: changed(live, one.change) });
  }
}

export async function playCorpus(send: SendRaw): Promise<Recording> {
  const setting = new Player(send);
  await setting.quietly('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } });
  await setting.quietly('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, {
    body: { metadata: { name: 'default' }, automountServiceAccountToken: false },
  });
  const made = new Set<string>();
  const players = new Map<string, Player>();
  for (const one of corpus()) {
    const { apiVersion, kind, metadata } = one.base as Record<'apiVersion' | 'kind', string> & Json;
    const scene = `${apiVersion} ${kind}`;
    const player = players.getOrInsertComputed(
      scene,
      () => new Player(send, { hasVersions: false }),
    );
    if (one.operation === 'update') {
      const { name } = metadata as { name: string };
      const path = collection(one.base);
      if (!made.has(`${path}/${name}`)) await player.quietly('POST', path, { body: one.base });
      made.add(`${path}/${name}`);
    }
    await answer(player, one);
  }
  return Object.fromEntries([...players].map(([scene, { entries }]) => [scene, entries]));
}
