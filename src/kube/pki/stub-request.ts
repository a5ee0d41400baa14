// The key of a pod certificate and the proof that its maker has it: a PKCS#10 request with an empty subject
// (PodCertificateRequest.spec.stubPKCS10Request of certificates.k8s.io/v1).
import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const { webcrypto: crypto } = process.getBuiltinModule('node:crypto');

interface KeyKind {
  readonly key: object;
  readonly signing: object;
}

const ecdsa = (bits: number, hash: string): KeyKind => ({
  key: { name: 'ECDSA', namedCurve: `P-${bits}` },
  signing: { name: 'ECDSA', hash },
});

const rsa = (modulusLength: number): KeyKind => {
  const name = 'RSASSA-PKCS1-v1_5';
  const publicExponent = new Uint8Array([1, 0, 1]);
  return {
    key: { name, hash: 'SHA-256', modulusLength, publicExponent },
    signing: { name, hash: 'SHA-256' },
  };
};

/** PodCertificateProjection.keyType; the hashes are those that Go takes for such keys. */
const kinds: Readonly<Record<string, KeyKind>> = {
  RSA3072: rsa(3072),
  RSA4096: rsa(4096),
  ECDSAP256: ecdsa(256, 'SHA-256'),
  ECDSAP384: ecdsa(384, 'SHA-384'),
  ECDSAP521: ecdsa(521, 'SHA-512'),
  ED25519: { key: { name: 'Ed25519' }, signing: { name: 'Ed25519' } },
};

export interface StubRequest {
  /** PKCS#8, PEM. */
  readonly key: string;
  /** DER. */
  readonly request: Uint8Array;
}

/** Throws for a type that there is not. */
export async function makeStubRequest(keyType: string): Promise<StubRequest> {
  const kind = kinds[keyType];
  if (kind === undefined) throw new Error(`unknown key type "${keyType}"`);
  x509.cryptoProvider.set(crypto as never);
  const usages: webcrypto.KeyUsage[] = ['sign', 'verify'];
  const keys = await crypto.subtle.generateKey(kind.key as never, true, usages);
  const pair = keys as unknown as webcrypto.CryptoKeyPair;
  const made = await x509.Pkcs10CertificateRequestGenerator.create({
    keys: pair,
    signingAlgorithm: kind.signing as never,
  });
  const der = await crypto.subtle.exportKey('pkcs8', pair.privateKey);
  const key = `${x509.PemConverter.encode(der, 'PRIVATE KEY')}\n`;
  return { key, request: new Uint8Array(made.rawData) };
}
