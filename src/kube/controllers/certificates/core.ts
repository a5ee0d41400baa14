// Decides on certificate signing requests: which ones of nodes are approved by themselves, what is signed and
// what fails, and which ones are old enough to go (csrapproving, csrsigning and csrcleaner of v1.37). Pure.
import type { Decision, Effect } from '#kube/controllers/effects.ts';
import { nothing } from '#kube/controllers/effects.ts';
import { certificateSigningRequests } from '#kube/client/resources.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { RequestedNames } from '#kube/pki/signing.ts';

export const SIGNERS = {
  client: 'kubernetes.io/kube-apiserver-client',
  kubelet: 'kubernetes.io/kube-apiserver-client-kubelet',
  serving: 'kubernetes.io/kubelet-serving',
  legacy: 'kubernetes.io/legacy-unknown',
} as const;

const NODE_USER = 'system:node:';
const YEAR_SECONDS = 365 * 86_400;
const SECONDS_MIN = 600;
const HOUR_MS = 3_600_000;
const PENDING_MS = 24 * HOUR_MS;

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly lastUpdateTime?: string;
}

interface Spec {
  readonly request: string;
  readonly signerName: string;
  readonly usages?: readonly string[];
  readonly username?: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
  readonly expirationSeconds?: number;
}

export const specOf = (request: KubeObject): Spec => request['spec'] as Spec;

const conditionsOf = (request: KubeObject): readonly Condition[] =>
  (request['status']?.conditions ?? []) as readonly Condition[];

const has = (request: KubeObject, type: string): boolean =>
  conditionsOf(request).some((one) => one.type === type && one.status === 'True');

export const isIssued = (request: KubeObject): boolean =>
  ((request['status']?.certificate ?? '') as string) !== '';

export const isDecided = (request: KubeObject): boolean =>
  has(request, 'Approved') || has(request, 'Denied');

export const isToBeSigned = (request: KubeObject): boolean =>
  has(request, 'Approved') && !has(request, 'Failed') && !isIssued(request);

// ---- what signers ask of a request ----

function sameUsages(usages: readonly string[], wanted: readonly string[]): boolean {
  const own = new Set(usages);
  return own.size === wanted.length && wanted.every((one) => own.has(one));
}

function nodeUsages(usages: readonly string[], purpose: string): string | undefined {
  const all = ['digital signature', 'key encipherment', purpose].sort();
  const isRight = sameUsages(usages, all) || sameUsages(usages, ['digital signature', purpose]);
  return isRight ? undefined : `usages did not match [${all.join(' ')}]`;
}

function nodeSubject({ commonName }: RequestedNames): string | undefined {
  if (commonName.startsWith(NODE_USER)) return undefined;
  return 'subject common name does not begin with system:node:';
}

function organization({ organizations }: RequestedNames): string | undefined {
  const isNodes = organizations.length === 1 && organizations[0] === 'system:nodes';
  return isNodes ? undefined : 'subject organization is not system:nodes';
}

export function kubeletClientProblem(
  names: RequestedNames,
  usages: readonly string[],
): string | undefined {
  const wrong = organization(names);
  if (wrong !== undefined) return wrong;
  const kinds = [
    ['DNS', names.dnsNames],
    ['Email', names.emails],
    ['IP', names.ips],
    ['URI', names.uris],
  ] as const;
  const stray = kinds.find(([, all]) => all.length > 0);
  if (stray !== undefined) return `${stray[0]} subjectAltNames are not allowed`;
  return nodeSubject(names) ?? nodeUsages(usages, 'client auth');
}

export function kubeletServingProblem(
  names: RequestedNames,
  usages: readonly string[],
): string | undefined {
  const wrong = organization(names);
  if (wrong !== undefined) return wrong;
  if (names.dnsNames.length === 0 && names.ips.length === 0) {
    return 'DNS or IP subjectAltName is required';
  }
  if (names.emails.length > 0) return 'Email subjectAltNames are not allowed';
  if (names.uris.length > 0) return 'URI subjectAltNames are not allowed';
  return nodeUsages(usages, 'server auth') ?? nodeSubject(names);
}

export function clientProblem(usages: readonly string[]): string | undefined {
  const allowed = ['digital signature', 'key encipherment', 'client auth'];
  const stray = usages.find((one) => !allowed.includes(one));
  if (stray !== undefined) return `invalid usage for client certificate: ${stray}`;
  if (usages.includes('client auth')) return undefined;
  return 'missing required usage for client certificate: client auth';
}

/** Undefined: it may be signed. */
export function problemOf(request: KubeObject, names: RequestedNames): string | undefined {
  const { signerName, usages = [] } = specOf(request);
  switch (signerName) {
    case SIGNERS.serving:
      return kubeletServingProblem(names, usages);
    case SIGNERS.kubelet:
      return kubeletClientProblem(names, usages);
    case SIGNERS.client:
      return clientProblem(usages);
    default:
      return undefined;
  }
}

export function secondsOf(request: KubeObject): number {
  const { expirationSeconds } = specOf(request);
  if (expirationSeconds === undefined) return YEAR_SECONDS;
  return Math.min(Math.max(expirationSeconds, SECONDS_MIN), YEAR_SECONDS);
}

// ---- decisions ----

/** Permissions by which a request of a node approves itself, in the order in which they are asked. */
export function permissionsFor(
  request: KubeObject,
  names: RequestedNames,
): readonly ('selfnodeclient' | 'nodeclient')[] {
  const { signerName, usages = [], username } = specOf(request);
  const isNode =
    signerName === SIGNERS.kubelet && kubeletClientProblem(names, usages) === undefined;
  if (!isNode) return [];
  return username === names.commonName ? ['selfnodeclient', 'nodeclient'] : ['nodeclient'];
}

export function accessReview(request: KubeObject, permission: string): KubeObject {
  const { username, uid, groups, extra } = specOf(request);
  const attributes = {
    group: 'certificates.k8s.io',
    resource: 'certificatesigningrequests',
    verb: 'create',
    subresource: permission,
    version: '*',
  };
  return {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    metadata: {},
    spec: { user: username, uid, groups, extra, resourceAttributes: attributes },
  };
}

function conditioned(
  request: KubeObject,
  condition: Readonly<Record<string, string>>,
  subresource: 'approval' | 'status',
): Effect {
  const conditions = [...conditionsOf(request), { status: 'True', ...condition }];
  const object = { ...request, status: { ...request['status'], conditions } };
  return { kind: 'update', resource: certificateSigningRequests, object, subresource };
}

export function approve(request: KubeObject, permission: string): Decision {
  const own = permission === 'selfnodeclient' ? 'self ' : '';
  const message = `Auto approving ${own}kubelet client certificate after SubjectAccessReview.`;
  const condition = { type: 'Approved', reason: 'AutoApproved', message };
  return { effects: [conditioned(request, condition, 'approval')] };
}

export function fail(request: KubeObject, message: string): Decision {
  const condition = { type: 'Failed', reason: 'SignerValidationFailure', message };
  return { effects: [conditioned(request, condition, 'status')] };
}

export function issue(request: KubeObject, pem: string): Decision {
  const certificate = Buffer.from(pem).toString('base64');
  const object = { ...request, status: { ...request['status'], certificate } };
  const resource = certificateSigningRequests;
  return { effects: [{ kind: 'update', resource, object, subresource: 'status' }] };
}

/** When it goes, as milliseconds since the epoch; undefined: not by what is known now. */
function endOf(request: KubeObject, certificateEnds: number | undefined): number | undefined {
  const conditions = conditionsOf(request);
  const ends: number[] = [];
  if (conditions.length === 0) {
    ends.push(Date.parse(request.metadata.creationTimestamp ?? '') + PENDING_MS);
  }
  for (const { type, lastUpdateTime = '' } of conditions) {
    const at = Date.parse(lastUpdateTime);
    if (type === 'Denied' || type === 'Failed') ends.push(at + HOUR_MS);
    if (type === 'Approved') ends.push(at + (isIssued(request) ? HOUR_MS : PENDING_MS));
    if (type === 'Approved' && certificateEnds !== undefined) ends.push(certificateEnds);
  }
  const known = ends.filter((end) => !Number.isNaN(end));
  return known.length === 0 ? undefined : Math.min(...known);
}

export function clean(
  request: KubeObject,
  certificateEnds: number | undefined,
  now: number,
): Decision {
  const end = endOf(request, certificateEnds);
  if (end === undefined) return nothing;
  if (end > now) return { effects: [], againInMs: Math.max(end - now, 1_000) };
  return { effects: [{ kind: 'delete', resource: certificateSigningRequests, object: request }] };
}
