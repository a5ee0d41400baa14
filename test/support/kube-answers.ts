// Plays the corpus against an API server and returns its answers, made comparable: what the server
// draws by itself (ids, times, addresses) is left out.
import { changed, corpus, type Case } from './kube-corpus.ts';

type Json = Record<string, unknown>;

/** `path` and `body` to one API server, whatever carries it. */
export type Send = (
  method: string,
  path: string,
  body?: unknown,
) => Promise<{ readonly status: number; readonly body: unknown }>;

export type Answers = Record<string, { status: number; body: unknown }>;

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

const drawn = new Set([
  'uid',
  'creationTimestamp',
  'resourceVersion',
  'managedFields',
  'clusterIP',
  'clusterIPs',
  'nodePort',
  'batch.kubernetes.io/controller-uid',
  'controller-uid',
  'lastTransitionTime',
  'lastPhaseTransitionTime',
]);

/** Without what the server draws, and with the keys in order. */
function comparable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  const keys = Object.keys(value)
    .filter((key) => !drawn.has(key))
    .sort();
  return Object.fromEntries(keys.map((key) => [key, comparable((value as Json)[key])]));
}

/** Texts that hold ids, drawn names, or a rendering of Go values lose those. */
function comparableText(text: string): string {
  return text
    .replace(/\n@@[\s\S]*$/, '')
    .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UID')
    .replaceAll(/Bad_[a-z0-9]{5}"/g, 'Bad_DRAWN"')
    .replaceAll(
      /Invalid value: \{"(?:labels|metadata|Capabilities|privileged)".*\}: /g,
      'Invalid value: {}: ',
    )
    .replaceAll(/Invalid value: \{"allowPrivilegeEscalation".*\}: /g, 'Invalid value: {}: ')
    .replaceAll(/Duplicate value: \{"Name":.*\}$/g, 'Duplicate value: {}')
    .replaceAll(/Invalid value: \{"(?:kind|APIGroup)".*\}: /g, 'Invalid value: {}: ');
}

function comparableFailure(body: unknown): unknown {
  const { reason, message, details } = body as {
    reason?: string;
    message?: string;
    details?: { causes?: { field?: string; reason?: string; message?: string }[] };
  };
  const causes = (details?.causes ?? []).map((cause) =>
    comparableText([cause.field ?? '', cause.reason ?? '', cause.message ?? ''].join(' | ')),
  );
  if (causes.length > 0) return { reason, causes: [...new Set(causes)].sort() };
  return { reason, message: comparableText(message ?? '') };
}

async function answer(send: Send, one: Case): Promise<{ status: number; body: unknown }> {
  const query = 'dryRun=All&fieldValidation=Strict&fieldManager=corpus';
  const path = collection(one.base);
  const { name } = one.base['metadata'] as { name: string };
  let result;
  if (one.operation === 'create') {
    result = await send('POST', `${path}?${query}`, changed(one.base, one.change));
  } else {
    const live = (await send('GET', `${path}/${name}`)).body as Json;
    result = await send('PUT', `${path}/${name}?${query}`, changed(live, one.change));
  }
  const { status, body } = result;
  return { status, body: status >= 400 ? comparableFailure(body) : comparable(body) };
}

export async function answers(send: Send): Promise<Answers> {
  await send('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
  await send('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, {
    metadata: { name: 'default' },
    automountServiceAccountToken: false,
  });
  const made = new Set<string>();
  const found: Answers = {};
  for (const one of corpus()) {
    if (one.operation === 'update') {
      const { name } = one.base['metadata'] as { name: string };
      const path = collection(one.base);
      if (!made.has(`${path}/${name}`)) await send('POST', path, one.base);
      made.add(`${path}/${name}`);
    }
    found[one.name] = await answer(send, one);
  }
  return found;
}
