// The certificate authority of an instance, kept in its folder: server certificates, client
// certificates of components and nodes, the key that signs service-account tokens, kubeconfigs.
import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { Fault } from '#base/fault.ts';
import { curveOf, privateKeyIn } from './keys.ts';
import { leafExtensions, requestOf } from './signing.ts';

// Imported, it would be loaded in every process that has to do with node:crypto.
const { webcrypto: crypto } = process.getBuiltinModule('node:crypto');
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
const CA_DAYS = 3_650;
const LEAF_DAYS = 365;

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = await crypto.subtle.exportKey('pkcs8', key);
  return x509.PemConverter.encode(bytes, 'PRIVATE KEY');
}

type SigningAlgorithm = x509.X509CertificateCreateSelfSignedParams['signingAlgorithm'];

/** How strong a curve is, so is what is signed with it; kubeadm's authorities have keys of RSA. */
const hashes = { 'P-256': 'SHA-256', 'P-384': 'SHA-384', 'P-521': 'SHA-512' } as const;

interface AuthorityKey {
  readonly key: webcrypto.CryptoKey;
  readonly algorithm: SigningAlgorithm;
}

/** Throws Fault for what is no key that certificates can be signed with. */
async function importKey(path: string): Promise<AuthorityKey> {
  const found = privateKeyIn(readFileSync(path, 'utf8'));
  const curve = found === undefined ? undefined : curveOf(found);
  if (found === undefined || (curve === undefined && found.asymmetricKeyType !== 'rsa')) {
    throw new Fault(
      { code: 'bad-file', path },
      `Cannot use ${path}: data does not contain a valid RSA or ECDSA private key`,
    );
  }
  const own =
    curve === undefined
      ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
      : { name: 'ECDSA', namedCurve: curve, hash: hashes[curve] };
  const bytes = found.export({ type: 'pkcs8', format: 'der' });
  return {
    key: await crypto.subtle.importKey('pkcs8', bytes, own, true, ['sign']),
    algorithm: own as SigningAlgorithm,
  };
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  const made = crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  return made as Promise<webcrypto.CryptoKeyPair>;
}

function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return Buffer.from(bytes).toString('hex');
}

function writePrivate(path: string, text: string): void {
  const temporary = `${path}.tmp`;
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, path);
}

export interface ClientIdentity {
  readonly commonName: string;
  readonly organizations: readonly string[];
}

export interface ServerIdentity {
  readonly commonName: string;
  readonly names: readonly string[];
  readonly ips: readonly string[];
}

export interface SignedRequest {
  /** Base64 of its PEM. */
  readonly request: string;
  /** As certificates.k8s.io/v1 names them. */
  readonly usages: readonly string[];
  readonly seconds: number;
}

/** Clocks differ: a certificate is valid a little before it is made. */
const BACKDATED_MS = 5 * 60_000;
/** One that lives less is not shortened by that. */
const SHORT_SECONDS = 8 * 3_600;
function subjectOf({ commonName, organizations }: ClientIdentity): x509.JsonName {
  return [{ CN: [commonName] }, ...organizations.map((one) => ({ O: [one] }))];
}

function namesOf({ names, ips }: ServerIdentity): x509.Extension {
  return new x509.SubjectAlternativeNameExtension([
    ...names.map((value) => ({ type: 'dns' as const, value })),
    ...ips.map((value) => ({ type: 'ip' as const, value })),
  ]);
}

export class Authority {
  readonly folder: string;
  /** PEM of the authority's own certificate. */
  readonly caCert: string;
  readonly #certificate: x509.X509Certificate;
  readonly #key: AuthorityKey;

  private constructor(folder: string, caCert: string, key: AuthorityKey) {
    this.folder = folder;
    this.caCert = caCert;
    this.#certificate = new x509.X509Certificate(caCert);
    this.#key = key;
  }

  /** Opens the authority of a folder, making it at the first time. */
  static async open(folder: string, now: number, name = 'strata-ca'): Promise<Authority> {
    x509.cryptoProvider.set(crypto as never);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const [certPath, keyPath] = [join(folder, 'ca.crt'), join(folder, 'ca.key')];
    if (!existsSync(certPath)) {
      const keys = await generateKeys();
      const certificate = await x509.X509CertificateGenerator.createSelfSigned({
        serialNumber: serialNumber(),
        name: `CN=${name}`,
        notBefore: new Date(now - DAY_MS),
        notAfter: new Date(now + CA_DAYS * DAY_MS),
        signingAlgorithm: algorithm,
        keys: keys as unknown as webcrypto.CryptoKeyPair,
        extensions: [
          new x509.BasicConstraintsExtension(true, undefined, true),
          new x509.KeyUsagesExtension(
            x509.KeyUsageFlags.keyCertSign |
              x509.KeyUsageFlags.cRLSign |
              x509.KeyUsageFlags.digitalSignature,
            true,
          ),
          await x509.SubjectKeyIdentifierExtension.create(
            keys.publicKey as unknown as webcrypto.CryptoKey,
          ),
        ],
      });
      writePrivate(keyPath, await exportKey(keys.privateKey));
      writePrivate(certPath, `${certificate.toString('pem')}\n`);
    }
    return new Authority(folder, readFileSync(certPath, 'utf8'), await importKey(keyPath));
  }

  async issueClient(identity: ClientIdentity, now: number): Promise<KeyPair> {
    const usages = [x509.ExtendedKeyUsage.clientAuth];
    return await this.#issue(subjectOf(identity), usages, [], now);
  }

  async issueServer(identity: ServerIdentity, now: number): Promise<KeyPair> {
    const usages = [x509.ExtendedKeyUsage.serverAuth];
    return await this.#issue([{ CN: [identity.commonName] }], usages, [namesOf(identity)], now);
  }

  /** One pair for both sides of who serves and calls under one name, as nodes do. */
  async issuePeer(identity: ClientIdentity & ServerIdentity, now: number): Promise<KeyPair> {
    const usages = [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth];
    return await this.#issue(subjectOf(identity), usages, [namesOf(identity)], now);
  }

  /** PEM of a certificate for the key of the request, with its subject and names. */
  async sign(wanted: SignedRequest, now: number): Promise<string> {
    const { request: base64, usages, seconds } = wanted;
    const request = requestOf(base64);
    if (!(await request.verify())) {
      throw new Fault({ code: 'bad-request' }, 'Cannot sign a request: its signature is wrong');
    }
    const isShort = seconds < SHORT_SECONDS;
    const ends = now + seconds * 1_000 - (isShort ? 0 : BACKDATED_MS);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: request.subjectName,
      // Not its text: Go compares bytes, and there are several kinds of text.
      issuer: this.#certificate.subjectName,
      notBefore: new Date(now - BACKDATED_MS),
      notAfter: new Date(Math.min(ends, this.#certificate.notAfter.getTime())),
      signingKey: this.#key.key as unknown as CryptoKey,
      publicKey: request.publicKey,
      signingAlgorithm: this.#key.algorithm,
      extensions: [...leafExtensions(request, usages), ...this.#identifiers()],
    });
    return `${certificate.toString('pem')}\n`;
  }

  /** Which key of this name has signed: strict clients, such as those of Python 3.13, refuse what does not say so. */
  #identifiers(): x509.Extension[] {
    const own = this.#certificate.getExtension(x509.SubjectKeyIdentifierExtension);
    return own === null ? [] : [new x509.AuthorityKeyIdentifierExtension(own.keyId)];
  }

  /** A pair kept in the folder under a name, issued anew when it is missing or near its end. */
  async kept(name: string, issue: () => Promise<KeyPair>, now: number): Promise<KeyPair> {
    const [certPath, keyPath] = [
      join(this.folder, `${name}.crt`),
      join(this.folder, `${name}.key`),
    ];
    if (existsSync(certPath) && existsSync(keyPath)) {
      const cert = readFileSync(certPath, 'utf8');
      const ends = new x509.X509Certificate(cert).notAfter.getTime();
      if (ends - now > (LEAF_DAYS / 4) * DAY_MS)
        return { cert, key: readFileSync(keyPath, 'utf8') };
    }
    const pair = await issue();
    writePrivate(keyPath, pair.key);
    writePrivate(certPath, pair.cert);
    return pair;
  }

  async #issue(
    subject: x509.JsonName,
    usages: readonly x509.ExtendedKeyUsageType[],
    extensions: readonly x509.Extension[],
    now: number,
  ): Promise<KeyPair> {
    const keys = await generateKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject,
      // Not its text: Go compares bytes, and there are several kinds of text.
      issuer: this.#certificate.subjectName,
      notBefore: new Date(now - DAY_MS),
      notAfter: new Date(now + LEAF_DAYS * DAY_MS),
      signingKey: this.#key.key as unknown as CryptoKey,
      publicKey: keys.publicKey as unknown as CryptoKey,
      signingAlgorithm: this.#key.algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
          true,
        ),
        new x509.ExtendedKeyUsageExtension([...usages]),
        ...extensions,
        ...this.#identifiers(),
      ],
    });
    return { cert: `${certificate.toString('pem')}\n`, key: await exportKey(keys.privateKey) };
  }
}

/** How a client shows who it is. */
export type Credential = { readonly pair: KeyPair } | { readonly token: string };

/** A kubeconfig with everything inside, as an object (JSON is YAML). */
export function kubeconfig(
  options: Credential & {
    readonly server: string;
    readonly caCert: string;
    readonly user: string;
    readonly cluster: string;
  },
) {
  const { server, caCert, user, cluster } = options;
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: cluster, cluster: { server, 'certificate-authority-data': base64(caCert) } },
    ],
    users: [
      {
        name: user,
        user:
          'token' in options
            ? { token: options.token }
            : {
                'client-certificate-data': base64(options.pair.cert),
                'client-key-data': base64(options.pair.key),
              },
      },
    ],
    contexts: [{ name: cluster, context: { cluster, user } }],
    'current-context': cluster,
    preferences: {},
  };
}
