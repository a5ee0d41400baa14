// A signer of PodCertificateRequests, as a cluster's own would be: issues what is asked for, in the name of the pod.
import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const { webcrypto: crypto } = process.getBuiltinModule('node:crypto');
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const HOUR_MS = 3_600_000;

export interface SignedRequest {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly podName: string; readonly stubPKCS10Request: string };
}

/** Seconds, as API servers keep times. */
const at = (ms: number): Date => new Date(Math.floor(ms / 1_000) * 1_000);

/** The status that says so; the certificate is good for a day, and for `hoursUntilRefresh` without another one. */
export async function signed({ spec }: SignedRequest, hoursUntilRefresh = 20): Promise<object> {
  x509.cryptoProvider.set(crypto as never);
  const keys = await crypto.subtle.generateKey(algorithm, false, ['sign', 'verify']);
  const pair = keys as unknown as webcrypto.CryptoKeyPair;
  const now = Date.now();
  const [notBefore, notAfter] = [at(now), at(now + 24 * HOUR_MS)];
  const request = new x509.Pkcs10CertificateRequest(Buffer.from(spec.stubPKCS10Request, 'base64'));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: '01',
    subject: `CN=${spec.podName}`,
    issuer: 'CN=signer of the tests',
    notBefore,
    notAfter,
    signingAlgorithm: algorithm,
    publicKey: request.publicKey,
    signingKey: pair.privateKey,
  });
  const lastTransitionTime = at(now);
  return {
    conditions: [
      { type: 'Issued', status: 'True', reason: 'Signed', message: 'as asked', lastTransitionTime },
    ],
    certificateChain: `${certificate.toString('pem')}\n`,
    notBefore,
    notAfter,
    beginRefreshAt: at(now + hoursUntilRefresh * HOUR_MS),
  };
}
