// Certificate signing requests: what they ask for.
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

export interface RequestedSubject {
  readonly commonName: string;
  readonly organizations: readonly string[];
}

/** The PEM, out of the base64 that requests carry. Throws for what is none. */
export function requestOf(base64: string): x509.Pkcs10CertificateRequest {
  const pem = Buffer.from(base64, 'base64').toString();
  if (!/-----BEGIN CERTIFICATE REQUEST-----/.test(pem)) {
    throw new Error('PEM block type must be CERTIFICATE REQUEST');
  }
  return new x509.Pkcs10CertificateRequest(pem);
}

export function subjectOfRequest(base64: string): RequestedSubject {
  const { subjectName } = requestOf(base64);
  const [commonName = ''] = subjectName.getField('CN');
  return { commonName, organizations: subjectName.getField('O') };
}
