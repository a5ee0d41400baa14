// Keys in PEM as Go's tools take them (k8s.io/client-go/util/keyutil of v0.37): of RSA or of a curve, private ones in
// three forms, public ones by themselves, of a certificate or of a private key.
import { createPrivateKey, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { pemBlocks } from '#base/pem.ts';

/** By the names that OpenSSL has for the curves that tokens are signed with. */
export const curves: Readonly<Record<string, 'P-256' | 'P-384' | 'P-521'>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
};

/** undefined for keys of RSA and for other curves. */
export function curveOf(key: KeyObject): 'P-256' | 'P-384' | 'P-521' | undefined {
  return curves[key.asymmetricKeyDetails?.namedCurve ?? ''];
}

const forms = {
  'RSA PRIVATE KEY': 'pkcs1',
  'EC PRIVATE KEY': 'sec1',
  'PRIVATE KEY': 'pkcs8',
} as const;

const isForm = (type: string): type is keyof typeof forms => Object.hasOwn(forms, type);

/** The first of several that can be made; undefined: none. */
function firstOf(...makes: readonly (() => KeyObject)[]): KeyObject | undefined {
  for (const make of makes) {
    try {
      return make();
    } catch {
      // Of another form then.
    }
  }
  return undefined;
}

/** The first private key of a text, whatever stands around it, such as the parameters of a curve. */
export function privateKeyIn(text: string): KeyObject | undefined {
  for (const { type, der } of pemBlocks(text)) {
    if (!isForm(type)) continue;
    const form = forms[type];
    const found = firstOf(() => createPrivateKey({ key: der, format: 'der', type: form }));
    if (found !== undefined) return found;
  }
  return undefined;
}

const isUsable = (key: KeyObject): boolean =>
  key.asymmetricKeyType === 'rsa' || curveOf(key) !== undefined;

/** All public keys of a text that tokens may be signed with, those of private keys and certificates too. */
export function publicKeysIn(text: string): KeyObject[] {
  return pemBlocks(text).flatMap(({ der }) => {
    const made = (type: 'pkcs1' | 'pkcs8' | 'sec1') => (): KeyObject =>
      createPublicKey(createPrivateKey({ key: der, format: 'der', type }));
    const found = firstOf(
      () => createPublicKey({ key: der, format: 'der', type: 'spki' }),
      () => new X509Certificate(der).publicKey,
      made('pkcs1'),
      made('pkcs8'),
      made('sec1'),
    );
    return found === undefined || !isUsable(found) ? [] : [found];
  });
}
