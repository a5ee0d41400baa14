// Certificate signing requests: what they ask for.
import 'reflect-metadata';
import { createPublicKey, type KeyObject } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { pemBlocks } from '#base/pem.ts';

/** What a request for a certificate asks for, as policies judge it. */
export interface RequestedNames {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ips: readonly string[];
  readonly emails: readonly string[];
  readonly uris: readonly string[];
}

export interface RequestedSubject {
  readonly commonName: string;
  readonly organizations: readonly string[];
}

/** The PEM, out of the base64 that requests carry. Throws for what is none. */
export function requestOf(base64: string): x509.Pkcs10CertificateRequest {
  const [block] = pemBlocks(Buffer.from(base64, 'base64').toString());
  if (block?.type !== 'CERTIFICATE REQUEST') {
    throw new Error('PEM block type must be CERTIFICATE REQUEST');
  }
  return new x509.Pkcs10CertificateRequest(new Uint8Array(block.der));
}

/** The key of a request in DER, and whether its owner has signed; undefined for what is none. */
export async function stubRequestKey(
  der: Buffer,
): Promise<{ readonly key: KeyObject; readonly isSigned: boolean } | undefined> {
  try {
    const request = new x509.Pkcs10CertificateRequest(new Uint8Array(der));
    const spki = Buffer.from(request.publicKey.rawData);
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    return { key, isSigned: await request.verify() };
  } catch {
    return undefined;
  }
}

export function subjectOfRequest(base64: string): RequestedSubject {
  const { subjectName } = requestOf(base64);
  const [commonName = ''] = subjectName.getField('CN');
  return { commonName, organizations: subjectName.getField('O') };
}

function alternativeNames(
  request: x509.Pkcs10CertificateRequest,
): x509.SubjectAlternativeNameExtension | undefined {
  return request.extensions.find((one) => one instanceof x509.SubjectAlternativeNameExtension);
}

/** Throws for what is no request. */
export function namesOfRequest(base64: string): RequestedNames {
  const request = requestOf(base64);
  const alternative = alternativeNames(request);
  const of = (wanted: x509.GeneralNameType): string[] =>
    (alternative?.names.items ?? [])
      .filter(({ type }) => type === wanted)
      .map(({ value }) => value);
  return {
    ...subjectOfRequest(base64),
    dnsNames: of('dns'),
    ips: of('ip'),
    emails: of('email'),
    uris: of('url'),
  };
}

const keyUsages: Readonly<Record<string, number>> = {
  signing: x509.KeyUsageFlags.digitalSignature,
  'digital signature': x509.KeyUsageFlags.digitalSignature,
  'content commitment': x509.KeyUsageFlags.nonRepudiation,
  'key encipherment': x509.KeyUsageFlags.keyEncipherment,
  'key agreement': x509.KeyUsageFlags.keyAgreement,
  'data encipherment': x509.KeyUsageFlags.dataEncipherment,
  'cert sign': x509.KeyUsageFlags.keyCertSign,
  'crl sign': x509.KeyUsageFlags.cRLSign,
  'encipher only': x509.KeyUsageFlags.encipherOnly,
  'decipher only': x509.KeyUsageFlags.decipherOnly,
};

/** In the order in which Go writes them. */
const extendedUsages: Readonly<Record<string, string>> = {
  any: '2.5.29.37.0',
  'server auth': '1.3.6.1.5.5.7.3.1',
  'client auth': '1.3.6.1.5.5.7.3.2',
  'code signing': '1.3.6.1.5.5.7.3.3',
  'email protection': '1.3.6.1.5.5.7.3.4',
  's/mime': '1.3.6.1.5.5.7.3.4',
  'ipsec end system': '1.3.6.1.5.5.7.3.5',
  'ipsec tunnel': '1.3.6.1.5.5.7.3.6',
  'ipsec user': '1.3.6.1.5.5.7.3.7',
  timestamping: '1.3.6.1.5.5.7.3.8',
  'ocsp signing': '1.3.6.1.5.5.7.3.9',
  'microsoft sgc': '1.3.6.1.4.1.311.10.3.3',
  'netscape sgc': '2.16.840.1.113730.4.1',
};

/** Of a leaf: no authority, the names that were asked for, nothing else of the request. */
export function leafExtensions(
  request: x509.Pkcs10CertificateRequest,
  usages: readonly string[],
): x509.Extension[] {
  const flags = usages.reduce((sum, one) => sum | (keyUsages[one] ?? 0), 0);
  const known = Object.keys(extendedUsages).filter((one) => usages.includes(one));
  const extended = [...new Set(known.map((one) => extendedUsages[one] ?? ''))];
  const alternative = alternativeNames(request);
  return [
    ...(flags === 0 ? [] : [new x509.KeyUsagesExtension(flags, true)]),
    ...(extended.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension(extended)]),
    new x509.BasicConstraintsExtension(false, undefined, true),
    ...(alternative === undefined ? [] : [alternative]),
  ];
}
