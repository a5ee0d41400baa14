// What a signer may write into the status of a pod's certificate request: a chain whose leaf is for the key that
// was asked for, and times that are the leaf's (kube-apiserver v1.37, ValidatePodCertificateRequestStatusUpdate).
import { createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { pemBlocks } from '#base/pem.ts';
import { invalidValue, requiredValue } from '#kube/meta/names.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { stubRequestKey } from '#kube/pki/signing.ts';

type Json = Record<string, unknown>;

const CHAIN_BYTES_MAX = 100 * 1_024;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const CHAIN = 'status.certificateChain';

function parsed(der: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}

/** Of the stub request, or as it is. */
async function wantedKey(spec: Json): Promise<KeyObject | undefined> {
  const bytes = (field: string): Buffer => Buffer.from(String(spec[field] ?? ''), 'base64');
  const stub = bytes('stubPKCS10Request');
  if (stub.length > 0) return (await stubRequestKey(stub))?.key;
  try {
    return createPublicKey({ key: bytes('pkixPublicKey'), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

function nameProblems({ subjectAltName = '' }: X509Certificate): StatusCause[] {
  const names = subjectAltName
    .split(', ')
    .filter((one) => one.startsWith('DNS:'))
    .map((one) => one.slice('DNS:'.length));
  return names.flatMap((name) => {
    const refuse = (why: string): StatusCause => invalidValue(CHAIN, name, why);
    if (name === '') return [refuse('leaf certificate should not contain empty DNSName')];
    const found: StatusCause[] = [];
    if (name.includes('..')) {
      found.push(refuse("leaf certificate's DNSName should not contain '..'"));
    }
    if (name.startsWith('.') || name.endsWith('.')) {
      found.push(refuse("leaf certificate's DNSName should not start or end with '.'"));
    }
    return found;
  });
}

function missingTimes(status: Json): StatusCause[] {
  const own = 'must be present and consistent with the issued certificate';
  const needed: readonly (readonly [string, string])[] = [
    ['notBefore', own],
    ['notAfter', own],
    ['beginRefreshAt', 'must be present and in the range [notbefore+10min, notafter-10min]'],
  ];
  return needed
    .filter(([name]) => status[name] === undefined || status[name] === null)
    .map(([name, why]) => requiredValue(`status.${name}`, why));
}

function timeProblems(status: Json, spec: Json, leaf: X509Certificate, now: number): StatusCause[] {
  const missing = missingTimes(status);
  if (missing.length > 0) return missing;
  const time = (name: string): number => Date.parse(String(status[name]));
  const wrong = (name: string, why: string): StatusCause[] => [
    invalidValue(`status.${name}`, status[name], why),
  ];
  const [from, to, refresh] = [time('notBefore'), time('notAfter'), time('beginRefreshAt')];
  if (from !== leaf.validFromDate.getTime()) {
    return wrong('notBefore', 'must be set to the NotBefore time encoded in the leaf certificate');
  }
  if (Math.abs(from - now) > 5 * MINUTE) {
    const why = "must be set to within 5 minutes of kube-apiserver's current time";
    return wrong('notBefore', why);
  }
  if (to !== leaf.validToDate.getTime()) {
    return wrong('notAfter', 'must be set to the NotAfter time encoded in the leaf certificate');
  }
  // Go writes a duration in nanoseconds.
  const lifetime = to - from;
  const shown = lifetime * 1e6;
  if (lifetime < HOUR) {
    return [invalidValue(CHAIN, shown, 'leaf certificate lifetime must be >= 1 hour')];
  }
  const most = Number(spec['maxExpirationSeconds'] ?? 0);
  if (lifetime > most * 1_000) {
    const why = `leaf certificate lifetime must be <= spec.maxExpirationSeconds (${most})`;
    return [invalidValue(CHAIN, shown, why)];
  }
  if (refresh < from + 10 * MINUTE) {
    return wrong('beginRefreshAt', 'must be at least 10 minutes after status.notBefore');
  }
  if (refresh > to - 10 * MINUTE) {
    return wrong('beginRefreshAt', 'must be at least 10 minutes before status.notAfter');
  }
  return [];
}

/** `now`: in ms since 1970. */
export async function chainCauses(status: Json, spec: Json, now: number): Promise<StatusCause[]> {
  const chain = String(status['certificateChain'] ?? '');
  const refuse = (why: string): StatusCause[] => [invalidValue(CHAIN, chain, why)];
  if (Buffer.byteLength(chain) > CHAIN_BYTES_MAX) {
    const message = `Too long: may not be more than ${CHAIN_BYTES_MAX} bytes`;
    return [{ reason: 'FieldValueTooLong', message, field: CHAIN }];
  }
  const [first, ...rest] = pemBlocks(chain);
  if (first === undefined) {
    return refuse('issued certificate chain must contain at least one certificate');
  }
  if (first.type !== 'CERTIFICATE') {
    return refuse('issued certificate chain must consist entirely of CERTIFICATE PEM blocks');
  }
  const leaf = parsed(first.der);
  if (leaf === undefined) return refuse('leaf certificate does not parse as valid X.509');
  const names = nameProblems(leaf);
  const key = await wantedKey(spec);
  const spki = (one: KeyObject): Buffer => one.export({ type: 'spki', format: 'der' });
  if (key === undefined || !spki(key).equals(spki(leaf.publicKey))) {
    return [...names, ...refuse('leaf certificate was not issued to the requested public key')];
  }
  const times = timeProblems(status, spec, leaf, now);
  if (times.length > 0) return [...names, ...times];
  for (const { type, der } of rest) {
    if (type !== 'CERTIFICATE') {
      // As upstream spells it.
      const why = 'issued certificate chain must consist entirely of CERTFICATE PEM blocks';
      return [...names, ...refuse(why)];
    }
    if (parsed(der) === undefined) {
      return [...names, ...refuse('intermediate certificate does not parse as valid X.509')];
    }
  }
  return names;
}
