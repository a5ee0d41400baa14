// What becomes of secrets of type kubernetes.io/service-account-token: filled in, deleted with their account,
// taken off its list; and, when tokens that were once made for every account are not used, marked and deleted.
// Decisions and labels as kube-controller-manager v1.37.
import { secrets, serviceAccounts } from '#kube/client/resources.ts';
import { nothing, type Decision } from '#kube/controllers/effects.ts';
import type { KubeObject } from '#kube/meta/object.ts';

export const TYPE = 'kubernetes.io/service-account-token';
const NAME = 'kubernetes.io/service-account.name';
const UID = 'kubernetes.io/service-account.uid';
const LAST_USED = 'kubernetes.io/legacy-token-last-used';
const INVALID_SINCE = 'kubernetes.io/legacy-token-invalid-since';

type Data = Readonly<Record<string, string>>;

const dataOf = (secret: KubeObject): Data => (secret['data'] ?? {}) as Data;
const base64 = (text: string): string => Buffer.from(text).toString('base64');

export const isToken = (secret: KubeObject): boolean => secret['type'] === TYPE;

/** Whose token it is; the uid may not be there yet. */
export function ownerOf(secret: KubeObject): { readonly name: string; readonly uid: string } {
  const { annotations = {} } = secret.metadata;
  return { name: annotations[NAME] ?? '', uid: annotations[UID] ?? '' };
}

/** The account, if it is the one that is meant. */
export function meant(
  account: KubeObject | undefined,
  { uid }: { readonly uid: string },
): KubeObject | undefined {
  return uid === '' || account?.metadata.uid === uid ? account : undefined;
}

/** Which of its three entries a secret is without. */
export function missing(secret: KubeObject, rootCa: string) {
  const data = dataOf(secret);
  return {
    ca: rootCa !== '' && data['ca.crt'] !== base64(rootCa),
    namespace: (data['namespace'] ?? '') === '',
    token: (data['token'] ?? '') === '',
  };
}

/** `token`: a new one, when the secret has none. */
export function fill(
  secret: KubeObject,
  account: KubeObject,
  { rootCa, token }: { readonly rootCa: string; readonly token: string | undefined },
): Decision {
  const lacks = missing(secret, rootCa);
  if (!lacks.ca && !lacks.namespace && token === undefined) return nothing;
  const { namespace = '', annotations } = secret.metadata;
  const data = {
    ...dataOf(secret),
    ...(lacks.ca ? { 'ca.crt': base64(rootCa) } : {}),
    ...(lacks.namespace ? { namespace: base64(namespace) } : {}),
    ...(token === undefined ? {} : { token: base64(token) }),
  };
  const { name = '', uid = '' } = account.metadata;
  const metadata = {
    ...secret.metadata,
    annotations: { ...annotations, [NAME]: name, [UID]: uid },
  };
  return {
    effects: [{ kind: 'update', resource: secrets, object: { ...secret, metadata, data } }],
  };
}

export function remove(secret: KubeObject): Decision {
  return { effects: [{ kind: 'delete', resource: secrets, object: secret }] };
}

interface Reference {
  readonly name?: string;
}

const referencesOf = (account: KubeObject): readonly Reference[] =>
  (account['secrets'] ?? []) as readonly Reference[];

const refersTo = (account: KubeObject, secret: string): boolean =>
  referencesOf(account).some(({ name }) => name === secret);

/** After the secret is gone. */
export function dropReference(account: KubeObject | undefined, secret: string): Decision {
  if (account === undefined || !refersTo(account, secret)) return nothing;
  const left = referencesOf(account).filter(({ name }) => name !== secret);
  const object = { ...account, secrets: left };
  return { effects: [{ kind: 'update', resource: serviceAccounts, object }] };
}

// ---- tokens that nobody uses ----

const DAY_MS = 24 * 60 * 60 * 1_000;
/** How long a token lies unused before it is marked, and marked before it is deleted. */
export const UNUSED_MS = 365 * DAY_MS;

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** Milliseconds of a day written as one; undefined for what is none. */
function dayMs(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{4}-\d\d-\d\d$/.test(text)) return undefined;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Whether uses have been noted for long enough; `since` is the first day that some were. */
export function isTracked(since: string | undefined, now: number): boolean {
  const day = dayMs(since);
  return day !== undefined && now >= day + DAY_MS + UNUSED_MS;
}

/** Of tokens that the account lists, which were made by themselves once; `isMounted`: by a pod. */
export function cleanUp(
  secret: KubeObject,
  account: KubeObject | undefined,
  { isMounted, now }: { readonly isMounted: boolean; readonly now: number },
): Decision {
  const { creationTimestamp, deletionTimestamp, labels = {}, name = '' } = secret.metadata;
  if (Date.parse(creationTimestamp ?? '') >= now - UNUSED_MS) return nothing;
  if (deletionTimestamp !== undefined || isMounted) return nothing;
  const keep = dayOf(now - UNUSED_MS);
  const lastUsed = labels[LAST_USED];
  if (lastUsed !== undefined && (dayMs(lastUsed) === undefined || lastUsed >= keep)) return nothing;
  if (account === undefined || !refersTo(account, name)) return nothing;
  const invalidSince = labels[INVALID_SINCE];
  if (dayMs(invalidSince) === undefined) {
    const { uid } = secret.metadata;
    const patch = { metadata: { uid, labels: { [INVALID_SINCE]: dayOf(now) } } };
    return {
      effects: [{ kind: 'patch', resource: secrets, object: secret, type: 'merge', patch }],
    };
  }
  if ((invalidSince ?? '') >= keep) return nothing;
  return {
    effects: [{ kind: 'delete', resource: secrets, object: secret, isVersionChecked: true }],
  };
}
