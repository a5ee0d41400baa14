// Validates what certificate requests, bundles of trust and pod certificate requests hold in PEM and DER, and
// how their status may change, as kube-apiserver v1.37 does.
import { createPublicKey, verify, X509Certificate, type KeyObject } from 'node:crypto';
import { pemBlocks } from '#base/pem.ts';
import { forbidden, invalidValue, requiredValue, unsupported } from '#kube/meta/names.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { same } from '#base/same.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { requestOf, stubRequestKey } from '#kube/pki/signing.ts';
import { chainCauses } from './issued-chain.ts';

type Json = Record<string, unknown>;

interface Condition {
  readonly type?: string;
  readonly status?: string;
}

const conditionsOf = (object: KubeObject | undefined): readonly Condition[] =>
  (object?.['status']?.conditions ?? []) as readonly Condition[];

const specOf = (object: KubeObject): Json => (object['spec'] ?? {}) as Json;

// ---- certificate signing requests ----

const final = ['Approved', 'Denied', 'Failed'] as const;
const CONDITIONS = 'status.conditions';

async function requestCauses(object: KubeObject): Promise<StatusCause[]> {
  const shown = specOf(object)['request'] ?? null;
  const text = String(shown ?? '');
  const refuse = (why: string): StatusCause[] => [invalidValue('spec.request', shown, why)];
  try {
    const isSigned = await requestOf(text).verify();
    return isSigned ? [] : refuse('x509: ECDSA verification failure');
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function conditionCauses(object: KubeObject, old: KubeObject | undefined): StatusCause[] {
  const [next, before] = [conditionsOf(object), conditionsOf(old)];
  const types = (all: readonly Condition[]): string[] => all.map(({ type = '' }) => type);
  const isOdd = new Set(types(before)).size < before.length;
  const causes: StatusCause[] = [];
  next.forEach(({ type = '', status = '' }, i) => {
    const field = `${CONDITIONS}[${i}]`;
    if (type === '' && !types(before).includes('')) causes.push(requiredValue(`${field}.type`));
    const allowed = (final as readonly string[]).includes(type)
      ? ['True']
      : ['False', 'True', 'Unknown'];
    if (status === '') causes.push(requiredValue(`${field}.status`));
    else if (!allowed.includes(status)) {
      causes.push(unsupported(`${field}.status`, status, allowed));
    }
    if (!isOdd && types(next).indexOf(type) < i) {
      const message = `Duplicate value: ${JSON.stringify(type)}`;
      causes.push({ reason: 'FieldValueDuplicate', message, field: `${field}.type` });
    }
  });
  const has = (all: readonly Condition[]): boolean =>
    types(all).includes('Approved') && types(all).includes('Denied');
  if (has(next) && !has(before)) {
    const [a, b] = ['Approved', 'Denied'].map((type) => `conditions[{"type": "${type}"}]`);
    causes.push(
      invalidValue(CONDITIONS, `{${a}, ${b}}`, `must specify at most one of: \`${a}\`, \`${b}\``),
    );
  }
  return causes;
}

function changeCauses(
  object: KubeObject,
  old: KubeObject,
  subresource: string | undefined,
): StatusCause[] {
  const causes: StatusCause[] = [];
  const of = (one: KubeObject, type: string): Condition[] =>
    conditionsOf(one).filter((condition) => condition.type === type);
  for (const type of final) {
    if (of(object, type).length < of(old, type).length) {
      causes.push(forbidden(CONDITIONS, `updates may not remove a condition of type "${type}"`));
    }
  }
  for (const type of subresource === 'approval' ? [] : (['Approved', 'Denied'] as const)) {
    const [next, before] = [of(object, type), of(old, type)];
    if (next.length > before.length) {
      causes.push(forbidden(CONDITIONS, `updates may not add a condition of type "${type}"`));
    } else if (next.length === before.length && !same(next, before)) {
      causes.push(forbidden(CONDITIONS, `updates may not modify a condition of type "${type}"`));
    }
  }
  const certificate = (one: KubeObject): string => String(one['status']?.certificate ?? '');
  if (certificate(object) === certificate(old)) return causes;
  const field = 'status.certificate';
  if (subresource !== 'status') {
    causes.push(forbidden(field, 'updates may not set certificate content'));
  } else if (certificate(old) !== '') {
    causes.push(forbidden(field, 'updates may not modify existing certificate content'));
  }
  const wrong = certificateProblem(certificate(object));
  if (wrong !== undefined) causes.push(invalidValue(field, '<certificate data>', wrong));
  return causes;
}

function certificateProblem(base64: string): string | undefined {
  if (base64 === '') return undefined;
  const blocks = pemBlocks(Buffer.from(base64, 'base64').toString());
  for (const { type, hasHeaders, der } of blocks) {
    if (type !== 'CERTIFICATE') {
      return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`;
    }
    if (hasHeaders) return 'no PEM block headers are permitted';
    if (certificateOf(der) === undefined) return 'x509: malformed certificate';
  }
  return blocks.length > 0 ? undefined : 'must contain at least one CERTIFICATE PEM block';
}

function certificateOf(der: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}

// ---- bundles ----

function bundleCauses(object: KubeObject, old: KubeObject | undefined): StatusCause[] {
  const [text, before] = [object, old].map((one) =>
    one === undefined ? undefined : String(specOf(one)['trustBundle'] ?? ''),
  );
  const causes: StatusCause[] = [];
  const signer = specOf(object)['signerName'];
  if (old !== undefined && (signer ?? '') !== (specOf(old)['signerName'] ?? '')) {
    causes.push(invalidValue('spec.signerName', signer ?? '', 'field is immutable'));
  }
  if (text === before) return causes;
  const refuse = (why: string): void =>
    void causes.push(invalidValue('spec.trustBundle', '<value omitted>', why));
  const seen = new Map<string, number[]>();
  const blocks = pemBlocks(text ?? '');
  blocks.forEach(({ type, hasHeaders, der }, i) => {
    const certificate = certificateOf(der);
    if (type !== 'CERTIFICATE') refuse(`entry ${i} has bad block type: ${type}`);
    else if (hasHeaders) refuse(`entry ${i} has PEM block headers`);
    else if (certificate === undefined) refuse(`entry ${i} does not parse as X.509`);
    else if (!certificate.ca) refuse(`entry ${i} does not have the CA bit set`);
    else {
      const key = der.toString('base64');
      seen.set(key, [...(seen.get(key) ?? []), i]);
    }
  });
  if (causes.some(({ field }) => field === 'spec.trustBundle')) return causes;
  if (blocks.length === 0) refuse('at least one trust anchor must be provided');
  for (const indices of seen.values()) {
    if (indices.length > 1) refuse(`duplicate trust anchor (indices [${indices.join(' ')}])`);
  }
  return causes;
}

// ---- pod certificate requests ----

const curves: Readonly<Record<string, true>> = {
  prime256v1: true,
  secp384r1: true,
  secp521r1: true,
};

function keyProblem(key: KeyObject): readonly [shown: string, why: string] | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = key;
  if (type === 'ed25519') return undefined;
  if (type === 'ec') {
    const curve = details.namedCurve ?? '';
    if (curves[curve] === true) return undefined;
    return [`curve ${curve}`, 'elliptic public keys must use curve P256, P384, or P521'];
  }
  if (type !== 'rsa') {
    return ['', 'unknown public key type; supported types are Ed25519, ECDSA, and RSA'];
  }
  const bits = details.modulusLength ?? 0;
  if (bits === 3_072 || bits === 4_096) return undefined;
  return [`${bits}-bit modulus`, 'RSA keys must have modulus size 3072 or 4096'];
}

/** Whether the text was signed by the key's owner. */
function isProven(key: KeyObject, text: string, signature: Buffer): boolean {
  const data = Buffer.from(text);
  if (key.asymmetricKeyType === 'ed25519') return verify(null, data, key, signature);
  if (key.asymmetricKeyType === 'ec') return verify('sha256', data, key, signature);
  const padding = 6; // RSA_PKCS1_PSS_PADDING
  return verify('sha256', data, { key, padding }, signature);
}

async function keyCauses(object: KubeObject): Promise<StatusCause[]> {
  const spec = specOf(object);
  const bytes = (field: string): Buffer => Buffer.from(String(spec[field] ?? ''), 'base64');
  const [stub, pkix, proof] = [
    bytes('stubPKCS10Request'),
    bytes('pkixPublicKey'),
    bytes('proofOfPossession'),
  ];
  const isStub = stub.length > 0 && pkix.length === 0 && proof.length === 0;
  const isPlain = stub.length === 0 && pkix.length > 0 && proof.length > 0;
  const omitted = (field: string, why: string): StatusCause[] => [
    { reason: 'FieldValueInvalid', message: `Invalid value: ${why}`, field },
  ];
  if (!isStub && !isPlain) {
    return omitted(
      'spec',
      'exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set',
    );
  }
  const field = isStub ? 'spec.stubPKCS10Request' : 'spec.pkixPublicKey';
  if (isStub) {
    const found = await stubRequestKey(stub);
    if (found === undefined) return omitted(field, 'must be a valid PKCS#10 CSR');
    const wrong = keyProblem(found.key);
    if (wrong !== undefined) {
      return wrong[0] === '' ? omitted(field, wrong[1]) : [invalidValue(field, ...wrong)];
    }
    return found.isSigned ? [] : omitted(field, 'invalid signature');
  }
  let key: KeyObject;
  try {
    key = createPublicKey({ key: pkix, format: 'der', type: 'spki' });
  } catch {
    const shown = spec['pkixPublicKey'];
    return [invalidValue(field, shown, 'must be a valid PKIX-serialized public key')];
  }
  const wrong = keyProblem(key);
  if (wrong !== undefined) return [invalidValue(field, ...wrong)];
  if (isProven(key, String(spec['podUID'] ?? ''), proof)) return [];
  return omitted('spec.proofOfPossession', 'could not verify proof-of-possession signature');
}

const outcomes = ['Issued', 'Denied', 'Failed'];

function outcomeOf(object: KubeObject): string | undefined {
  return conditionsOf(object).find(
    ({ type = '', status }) => outcomes.includes(type) && status === 'True',
  )?.type;
}

async function podStatusCauses(
  object: KubeObject,
  old: KubeObject,
  now: number,
): Promise<StatusCause[]> {
  const causes: StatusCause[] = [];
  let known = 0;
  conditionsOf(object).forEach(({ type = '', status = '' }, i) => {
    const field = `${CONDITIONS}.[${i}]`;
    if (!outcomes.includes(type)) {
      causes.push(unsupported(`${field}.type`, type, outcomes));
      return;
    }
    known += 1;
    if (known > 1) {
      const why = 'There may be at most one condition with type "Issued", "Denied", or "Failed"';
      causes.push(invalidValue(`${field}.type`, type, why));
    }
    if (status !== 'True') causes.push(unsupported(`${field}.status`, status, ['True']));
  });
  if (causes.length > 0) return causes;
  const [status, before] = [object['status'] ?? {}, old['status'] ?? {}] as [Json, Json];
  const fixed = (why: string, wanted: Json): StatusCause[] =>
    same(status, wanted)
      ? []
      : [{ reason: 'FieldValueInvalid', message: `Invalid value: ${why}`, field: 'status' }];
  if (outcomeOf(old) !== undefined) {
    return fixed('immutable after PodCertificateRequest is issued, denied, or failed', before);
  }
  const outcome = outcomeOf(object);
  if (outcome === undefined) {
    return fixed(
      'status is immutable unless transitioning to "Issued", "Denied", or "Failed"',
      before,
    );
  }
  if (outcome === 'Issued') return await chainCauses(status, specOf(old), now);
  return fixed(
    'non-condition status fields must be empty when denying or failing the PodCertificateRequest',
    { conditions: status['conditions'] },
  );
}

/** For the kinds of the group certificates.k8s.io; others have no causes here. */
export async function validateCertificates(
  kind: string,
  object: KubeObject,
  old: KubeObject | undefined,
  subresource: string | undefined,
  now: number,
): Promise<StatusCause[]> {
  switch (kind) {
    case 'CertificateSigningRequest': {
      const request = old === undefined ? await requestCauses(object) : [];
      const change = old === undefined ? [] : changeCauses(object, old, subresource);
      return [...request, ...conditionCauses(object, old), ...change];
    }
    case 'ClusterTrustBundle':
      return bundleCauses(object, old);
    case 'PodCertificateRequest':
      if (old === undefined) return await keyCauses(object);
      return subresource === 'status' ? await podStatusCauses(object, old, now) : [];
    default:
      return [];
  }
}
