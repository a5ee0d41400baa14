// serviceaccounts/token: tokens bound to what they are for, gone with it.
import type { Env } from '#env/env.ts';
import { trackUpdate } from '#kube/meta/apply.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { badRequest, conflict, invalid, notFound } from '#kube/meta/status.ts';
import { internal } from './faults.ts';
import { kindAlone } from './kind-alone.ts';
import { checkLookup } from './write-checks.ts';
import type { Resources, WriteContext } from './resources.ts';
import { timestamp } from './strategies.ts';
import type { TokenSettings } from './token-settings.ts';
import type { TokenAuthority, TokenBinding } from './tokens.ts';

export const SECONDS_DEFAULT = 3_600;
/** What the plugin ServiceAccount asks for in the name of pods: no one else would ask for just that. */
const SECONDS_UNASKED = 3_607;
const SECONDS_MIN = 600;
const SECONDS_MAX = 2 ** 32;
const kind = { group: 'authentication.k8s.io', kind: 'TokenRequest' };

export const tokenRequestInfo = kindAlone(kind.group, 'v1', kind.kind);

interface BoundReference {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly name?: string;
  readonly uid?: string;
}

interface TokenRequestSpec {
  readonly audiences?: readonly string[] | null;
  readonly expirationSeconds?: number;
  readonly boundObjectRef?: BoundReference | null;
}

export interface TokenServices {
  readonly resources: Resources;
  readonly tokens: TokenAuthority;
  readonly env: Env;
}

const refOf = (object: KubeObject): { name: string; uid: string } => ({
  name: object.metadata.name ?? '',
  uid: object.metadata.uid ?? '',
});

const bindable: Readonly<Record<string, string>> = {
  Pod: 'pods',
  Secret: 'secrets',
  Node: 'nodes',
};

/** What v1.37 takes behind a gate that is off by default. */
const isGated = (group: string | undefined, version: string | undefined, wanted = ''): boolean =>
  group === 'admissionregistration.k8s.io' &&
  version === 'v1' &&
  ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'].includes(wanted);

/** The claims of what a token shall be bound to. */
async function bindingOf(
  resources: Resources,
  ref: BoundReference,
  account: { namespace: string | undefined; name: string },
): Promise<TokenBinding> {
  // The version is not looked at, nor what is no version.
  const parts = (ref.apiVersion ?? '').split('/');
  const [group, version] =
    parts.length === 2 ? parts : ['', parts.length === 1 ? (parts[0] ?? '') : ''];
  const resource = group === '' ? bindable[ref.kind ?? ''] : undefined;
  if (resource === undefined) {
    const gate = isGated(group, version, ref.kind)
      ? ' (feature gate APIServerWebhookAuthenticationToken is disabled)'
      : '';
    throw badRequest(
      `cannot bind token to object of type ${group}/${version}, Kind=${ref.kind ?? ''}${gate}`,
    );
  }
  const place = resource === 'nodes' ? undefined : account.namespace;
  const name = ref.name ?? '';
  checkLookup(name);
  const found = await resources.get('', resource, place, name);
  if (found === undefined) throw notFound({ group: '', resource }, name);
  if (resource === 'pods' && found['spec']?.serviceAccountName !== account.name) {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account.name)} to pod running with different serviceaccount name.`,
    );
  }
  if (ref.uid !== undefined && ref.uid !== '' && ref.uid !== found.metadata.uid) {
    throw conflict(
      { group: '', resource: ref.kind ?? '' },
      name,
      `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  if (resource === 'secrets') return { secret: refOf(found) };
  if (resource === 'nodes') return { node: refOf(found) };
  const nodeName = found['spec'].nodeName as string | undefined;
  if (nodeName === undefined || nodeName === '') return { pod: refOf(found) };
  const node = await resources.get('', 'nodes', undefined, nodeName);
  return { pod: refOf(found), node: node === undefined ? { name: nodeName } : refOf(node) };
}

function checkSeconds(seconds: number): void {
  const why =
    seconds < SECONDS_MIN
      ? 'may not specify a duration less than 10 minutes'
      : seconds > SECONDS_MAX
        ? 'may not specify a duration larger than 2^32 seconds'
        : undefined;
  if (why === undefined) return;
  const message = `Invalid value: ${seconds}: ${why}`;
  throw invalid(kind, '', [
    { reason: 'FieldValueInvalid', message, field: 'spec.expirationSeconds' },
  ]);
}

function shortened(seconds: number, { secondsMax }: TokenSettings, warnings: string[]): number {
  if (secondsMax === undefined || seconds <= secondsMax) return seconds;
  warnings.push(`requested expiration of ${seconds} seconds shortened to ${secondsMax} seconds`);
  return secondsMax;
}

function checkPlace(body: KubeObject, name: string, namespace: string | undefined): void {
  const refuse = (field: string, value: string, what: string): never => {
    const message = `Invalid value: ${JSON.stringify(value)}: must match the service account ${what} if specified`;
    throw invalid(kind, name, [
      { reason: 'FieldValueInvalid', message, field: `metadata.${what}` },
    ]);
  };
  const { name: own = '', namespace: place = '' } = body.metadata ?? {};
  if (own !== '' && own !== name) refuse('name', own, 'name');
  if (place !== '' && place !== namespace) refuse('namespace', place, 'namespace');
}

/** What Go writes of a request although nobody has said it. */
export function withZeros(request: KubeObject): KubeObject {
  const spec = { boundObjectRef: null, ...request['spec'] };
  return { ...request, spec, status: { token: '', ...request['status'] } };
}

export async function requestToken(
  { resources, tokens, env }: TokenServices,
  context: WriteContext,
  name: string,
  body: KubeObject,
): Promise<KubeObject> {
  const { namespace } = context;
  checkPlace(body, name, namespace);
  const account = await resources.get('', 'serviceaccounts', namespace, name);
  if (account === undefined) throw notFound({ group: '', resource: 'serviceaccounts' }, name);
  const uid = body.metadata?.uid ?? '';
  if (uid !== '' && uid !== account.metadata.uid) {
    throw conflict(
      { group: kind.group, resource: kind.kind },
      name,
      `the UID in the token request (${uid}) does not match the UID of the service account (${account.metadata.uid})`,
    );
  }
  const { settings } = tokens;
  const spec = (body['spec'] ?? {}) as TokenRequestSpec;
  const wantedSeconds = spec.expirationSeconds ?? SECONDS_DEFAULT;
  checkSeconds(wantedSeconds);
  const wanted = spec.audiences ?? [];
  const audiences = wanted.length === 0 ? settings.audiences : wanted;
  const ref = spec.boundObjectRef ?? undefined;
  const binding = ref === undefined ? {} : await bindingOf(resources, ref, { namespace, name });
  const seconds = shortened(wantedSeconds, settings, context.warnings);
  const isExtended =
    settings.isExtended &&
    binding.pod !== undefined &&
    seconds === SECONDS_UNASKED &&
    audiences.every((one) => settings.audiences.includes(one));
  const life = isExtended
    ? { seconds: settings.secondsExtended, warnSeconds: seconds }
    : { seconds };
  const { generateName } = body.metadata ?? {};
  const drawn = generateName ? { generateName } : {};
  const now = env.clock.now();
  const id = env.random.uuid();
  const next: KubeObject = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: kind.kind,
    metadata: { name, ...drawn },
    spec: { ...spec, expirationSeconds: seconds },
  };
  const managedFields = trackUpdate({
    info: tokenRequestInfo,
    live: undefined,
    next,
    manager: context.fieldManager,
    now: timestamp(now),
    subresource: 'token',
  });
  if (context.annotations !== undefined) {
    context.annotations['authentication.kubernetes.io/issued-credential-id'] = `JTI=${id}`;
  }
  const issued = tokens.issue(account, { audiences, ...life, now, binding, id });
  const token = await issued.catch((error: unknown) => {
    const why = `failed to generate token: ${(error as Error).message}`;
    throw internal(new Error(why, { cause: error }));
  });
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: {
      name,
      ...drawn,
      namespace: namespace ?? '',
      uid: account.metadata.uid ?? '',
      creationTimestamp: timestamp(now),
      ...(managedFields === undefined ? {} : { managedFields }),
    },
    spec: { ...spec, audiences, expirationSeconds: seconds, boundObjectRef: ref ?? null },
    status: { token, expirationTimestamp: timestamp(now + seconds * 1_000) },
  };
}
