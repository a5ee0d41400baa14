// The keys of tokens of service accounts: by which one new tokens are signed, and by which ones those that come are
// checked (--service-account-signing-key-file, --service-account-key-file). Checks and words as kube-apiserver v1.37.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { calculateJwkThumbprint, exportJWK, SignJWT, type JWK, type JWTPayload } from 'jose';
import { curveOf, privateKeyIn, publicKeysIn } from '#kube/pki/keys.ts';
import { badFlag, openProblem, textFlag, textsFlag, type AccessFlags } from './flag-values.ts';

const SIGNING = 'service-account-signing-key-file';
const CHECKING = 'service-account-key-file';
/** As upstream tells it of keys that do not change. */
const CACHE_SECONDS = 3_600;

type Algorithm = 'RS256' | 'ES256' | 'ES384' | 'ES512';

const algorithms = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' } as const;

export interface TokenKey {
  readonly key: KeyObject;
  readonly id: string;
  readonly algorithm: Algorithm;
}

/** Throws Fault with what Go says of a file that cannot be read. */
function textOf(path: string, flag: string, before = ''): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw badFlag(flag, before + openProblem(path, error));
  }
}

/** As upstream names a key: other servers that have it find it by that. */
function idOf(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
}

export function algorithmOf(key: KeyObject): Algorithm | undefined {
  const curve = curveOf(key);
  if (curve !== undefined) return algorithms[curve];
  return key.asymmetricKeyType === 'rsa' ? 'RS256' : undefined;
}

const goTypes: Readonly<Record<string, string>> = {
  ed25519: 'ed25519.PrivateKey',
  x25519: '*ecdh.PrivateKey',
};

/** Throws Fault. */
function signingKeyOf(path: string): TokenKey {
  const unread = 'failed to parse service-account-issuer-key-file: ';
  const key = privateKeyIn(textOf(path, SIGNING, unread));
  if (key === undefined) {
    const why = 'data does not contain a valid RSA or ECDSA private key';
    throw badFlag(SIGNING, `${unread}error reading private key file ${path}: ${why}`);
  }
  const algorithm = algorithmOf(key);
  if (algorithm !== undefined) return { key, id: idOf(createPublicKey(key)), algorithm };
  const type = key.asymmetricKeyType ?? '';
  throw badFlag(
    SIGNING,
    `failed to build token generator: ${
      type === 'ec'
        ? 'could not generate signer for ECDSA keypair: unknown private key curve, must be 256, 384, or 521'
        : `unknown private key type ${goTypes[type] ?? type}, must be *rsa.PrivateKey, *ecdsa.PrivateKey, or jose.OpaqueSigner`
    }`,
  );
}

/** Throws Fault. */
function checkingKeysOf(path: string): TokenKey[] {
  const found = publicKeysIn(textOf(path, CHECKING));
  if (found.length === 0) {
    const why = 'data does not contain any valid RSA or ECDSA public keys';
    throw badFlag(CHECKING, `error reading public key file ${path}: ${why}`);
  }
  return found.map((key) => ({ key, id: idOf(key), algorithm: algorithmOf(key) ?? 'RS256' }));
}

/** Of this server alone, made at its first start; what it is called has been in tokens since then. */
async function ownKey(folder: string): Promise<TokenKey> {
  const path = join(folder, 'service-account.key');
  if (!existsSync(path)) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(`${path}.tmp`, privateKey.export({ type: 'pkcs8', format: 'pem' }), {
      mode: 0o600,
    });
    renameSync(`${path}.tmp`, path);
  }
  const key = createPrivateKey(readFileSync(path));
  const id = await calculateJwkThumbprint(await exportJWK(createPublicKey(key)));
  return { key, id, algorithm: algorithmOf(key) ?? 'ES256' };
}

/** Who signs tokens, and the keys that they are checked by. */
export interface TokenKeyring {
  /** A token of these claims. */
  sign(claims: JWTPayload): Promise<string>;
  /** Those that a token may be signed with, by what it says of its key; '': it says nothing. */
  named(id: string): readonly TokenKey[] | Promise<readonly TokenKey[]>;
  /** In the order of the alphabet. */
  readonly algorithms: readonly string[];
  jwks(): Promise<{ keys: JWK[] }>;
  /** How long what is told of the keys may be kept. */
  readonly cacheSeconds: number;
  /** Lines for the page of metrics. */
  metrics(): readonly string[];
  close(): void;
}

export const algorithmsOf = (keys: readonly TokenKey[]): string[] =>
  [...new Set(keys.map(({ algorithm }) => algorithm))].toSorted();

export async function jwksOf(keys: readonly TokenKey[]): Promise<{ keys: JWK[] }> {
  const each = keys.map(async ({ key, id, algorithm }) => {
    const jwk = await exportJWK(key);
    return { ...jwk, use: 'sig', alg: algorithm, kid: id };
  });
  return { keys: await Promise.all(each) };
}

export class FileKeys implements TokenKeyring {
  readonly #signing: TokenKey;
  /** In the order in which they were given. */
  readonly #checking: readonly TokenKey[];

  private constructor(signing: TokenKey, checking: readonly TokenKey[]) {
    this.#signing = signing;
    this.#checking = checking;
  }

  /** `folder` has the key of this server, which signs unless another is named. Throws Fault. */
  static async open(folder: string, flags: AccessFlags): Promise<FileKeys> {
    const named = textsFlag(flags, SIGNING).at(-1) ?? '';
    const checking = textsFlag(flags, CHECKING).flatMap(checkingKeysOf);
    if (named !== '') {
      const signing = signingKeyOf(named);
      if (checking.length > 0) return new FileKeys(signing, checking);
      throw badFlag(
        SIGNING,
        'either `--service-account-key-file` or `--service-account-signing-endpoint` must be set',
      );
    }
    const signing = await ownKey(folder);
    const own = { ...signing, key: createPublicKey(signing.key) };
    return new FileKeys(signing, [own, ...checking]);
  }

  async sign(claims: JWTPayload): Promise<string> {
    const { key, id, algorithm } = this.#signing;
    return await new SignJWT(claims).setProtectedHeader({ alg: algorithm, kid: id }).sign(key);
  }

  named(id: string): readonly TokenKey[] {
    return id === '' ? this.#checking : this.#checking.filter((one) => one.id === id);
  }

  get algorithms(): readonly string[] {
    return algorithmsOf(this.#checking);
  }

  async jwks(): Promise<{ keys: JWK[] }> {
    return await jwksOf(this.#checking);
  }

  get cacheSeconds(): number {
    return CACHE_SECONDS;
  }

  metrics(): readonly string[] {
    return [];
  }

  close(): void {}
}

export const ENDPOINT = 'service-account-signing-endpoint';

/** Where tokens are signed; undefined: here. Throws Fault. */
export function signingEndpoint(flags: AccessFlags): string | undefined {
  const endpoint = textFlag(flags, ENDPOINT);
  if (endpoint === undefined) return undefined;
  const quoted = JSON.stringify(endpoint);
  if (endpoint.startsWith('@') && !/^@(?:[\w-]+\.)*[\w-]+$/.test(endpoint)) {
    throw badFlag(
      ENDPOINT,
      `invalid value ${quoted} passed for \`--${ENDPOINT}\`, when prefixed with @ must be a valid abstract socket name`,
    );
  }
  if (textFlag(flags, SIGNING) !== undefined) {
    throw badFlag(
      ENDPOINT,
      `${SIGNING} and ${ENDPOINT} are mutually exclusive and cannot be set at the same time`,
    );
  }
  if (textsFlag(flags, CHECKING).length > 0) {
    throw badFlag(
      ENDPOINT,
      `can't set \`--${SIGNING}\` and/or \`--${CHECKING}\` with \`--${ENDPOINT}\` (They are mutually exclusive)`,
    );
  }
  return endpoint;
}
