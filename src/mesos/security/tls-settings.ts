// TLS as libprocess is told of it, by LIBPROCESS_SSL_ variables (SSL_ in older setups): what a program
// presents, whom it believes, and which connections it takes.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SecureVersion } from 'node:tls';
import { Fault } from '#base/fault.ts';
import type { Log } from '#env/env.ts';

/** Only who has TLS loads it: 2 MB in each of the others. */
export const tlsModule = () => process.getBuiltinModule('node:tls');

export interface TlsSettings {
  /** What it presents itself with; undefined for a client that presents nothing. */
  readonly key: Buffer | undefined;
  readonly cert: Buffer | undefined;
  /** Authorities that are believed; undefined: those of the system. */
  readonly ca: readonly Buffer[] | undefined;
  /** Connections without TLS are taken, too, and tried where TLS fails. */
  readonly supportsDowngrade: boolean;
  /** As a client: the server must be who it says. */
  readonly verifiesServer: boolean;
  /** As a server: clients must have a certificate. */
  readonly requiresClient: boolean;
  /** A certificate for the address of the peer will do. */
  readonly verifiesAddress: boolean;
  /** `legacy`: the name that the peer's address has by reverse lookup decides. */
  readonly hostnames: 'legacy' | 'openssl';
  readonly ciphers: string | undefined;
  readonly curves: string;
  readonly minVersion: SecureVersion;
  readonly maxVersion: SecureVersion;
  /** Of settings whose files are looked at again: key, certificate or authorities are others. */
  readonly onChange?: (listener: () => void) => void;
}

export type Environment = Readonly<Record<string, string | undefined>>;

function bad(name: string, why: string, cause?: unknown): Fault {
  const variable = `LIBPROCESS_SSL_${name}`;
  const message = `Cannot use TLS: ${variable} ${why}`;
  return new Fault({ code: 'bad-tls', variable }, message, { cause });
}

class Variables {
  readonly #environment: Environment;
  constructor(environment: Environment) {
    this.#environment = environment;
  }

  text(name: string): string | undefined {
    const value = this.#environment[`LIBPROCESS_SSL_${name}`] ?? this.#environment[`SSL_${name}`];
    return value === '' ? undefined : value;
  }

  bool(name: string, fallback = false): boolean {
    const text = this.text(name);
    if (text === undefined) return fallback;
    if (text === 'true' || text === '1') return true;
    if (text === 'false' || text === '0') return false;
    throw bad(name, `is "${text}", neither true nor false`);
  }

  file(name: string): Buffer | undefined {
    const path = this.text(name);
    if (path === undefined) return undefined;
    try {
      return readFileSync(path);
    } catch (cause) {
      throw bad(name, `names "${path}", which cannot be read`, cause);
    }
  }
}

function authorities(variables: Variables): Buffer[] | undefined {
  const file = variables.file('CA_FILE');
  const folder = variables.text('CA_DIR');
  if (file === undefined && folder === undefined) return undefined;
  const all = file === undefined ? [] : [file];
  if (folder === undefined) return all;
  try {
    // Links by hash name the same files again.
    const names = readdirSync(folder).filter((name) => /\.(pem|crt|cer)$/.test(name));
    return [...all, ...names.map((name) => readFileSync(join(folder, name)))];
  } catch (cause) {
    throw bad('CA_DIR', `names "${folder}", which cannot be read`, cause);
  }
}

const versions: readonly (readonly [string, SecureVersion, boolean])[] = [
  ['ENABLE_TLS_V1_0', 'TLSv1', false],
  ['ENABLE_TLS_V1_1', 'TLSv1.1', false],
  ['ENABLE_TLS_V1_2', 'TLSv1.2', true],
  // Off in libprocess, which cannot speak it; here nothing speaks against it.
  ['ENABLE_TLS_V1_3', 'TLSv1.3', true],
];

function versionRange(variables: Variables): Pick<TlsSettings, 'minVersion' | 'maxVersion'> {
  const enabled = versions
    .filter(([name, , fallback]) => variables.bool(name, fallback))
    .map(([, version]) => version);
  const [minVersion, maxVersion] = [enabled[0], enabled.at(-1)];
  if (minVersion === undefined || maxVersion === undefined) {
    throw bad('ENABLE_TLS_V1_2', 'and its like leave no version');
  }
  return { minVersion, maxVersion };
}

/** The files and folders that the settings are read from. */
export function tlsFiles(environment: Environment): { files: string[]; folders: string[] } {
  const variables = new Variables(environment);
  const named = (names: readonly string[]): string[] =>
    names.flatMap((name) => variables.text(name) ?? []);
  return { files: named(['KEY_FILE', 'CERT_FILE', 'CA_FILE']), folders: named(['CA_DIR']) };
}

/** Undefined: no TLS (LIBPROCESS_SSL_ENABLED). Fault `bad-tls`. */
export function readTlsSettings(environment: Environment, log: Log): TlsSettings | undefined {
  const variables = new Variables(environment);
  if (!variables.bool('ENABLED')) return undefined;
  const [key, cert] = [variables.file('KEY_FILE'), variables.file('CERT_FILE')];
  if (key === undefined) throw bad('KEY_FILE', 'is not set: TLS requires a key');
  if (cert === undefined) throw bad('CERT_FILE', 'is not set: TLS requires a certificate');
  const hostnames = variables.text('HOSTNAME_VALIDATION_SCHEME') ?? 'legacy';
  if (hostnames !== 'legacy' && hostnames !== 'openssl') {
    throw bad('HOSTNAME_VALIDATION_SCHEME', `is "${hostnames}", neither legacy nor openssl`);
  }
  const requiresClient = variables.bool('REQUIRE_CLIENT_CERT') || variables.bool('REQUIRE_CERT');
  const settings: TlsSettings = {
    key,
    cert,
    ca: authorities(variables),
    supportsDowngrade: variables.bool('SUPPORT_DOWNGRADE'),
    // Who wants certificates of clients wants them of servers, as libprocess has it.
    verifiesServer:
      variables.bool('VERIFY_SERVER_CERT') || variables.bool('VERIFY_CERT') || requiresClient,
    requiresClient,
    verifiesAddress: variables.bool('VERIFY_IPADD'),
    hostnames,
    ciphers: variables.text('CIPHERS'),
    curves: variables.text('ECDH_CURVES') ?? variables.text('ECDH_CURVE') ?? 'auto',
    ...versionRange(variables),
  };
  if (settings.supportsDowngrade && settings.verifiesServer) {
    log.warn('Certificates are verified, but connections without TLS are taken, too');
  }
  try {
    tlsModule().createSecureContext(contextOf(settings));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw bad('KEY_FILE', `and LIBPROCESS_SSL_CERT_FILE are no pair that can be used: ${why}`);
  }
  return settings;
}

/** A client's that was told nothing: it believes whom the system believes. */
export const SYSTEM_TLS: TlsSettings = {
  key: undefined,
  cert: undefined,
  ca: undefined,
  supportsDowngrade: false,
  verifiesServer: true,
  requiresClient: false,
  verifiesAddress: true,
  hostnames: 'openssl',
  ciphers: undefined,
  curves: 'auto',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
};

/** What Node's TLS is told for either side. */
export function contextOf(settings: TlsSettings) {
  const { key, cert, ca, ciphers, curves, minVersion, maxVersion } = settings;
  return {
    ...(key === undefined ? {} : { key }),
    ...(cert === undefined ? {} : { cert }),
    ...(ca === undefined ? {} : { ca: [...ca] }),
    ...(ciphers === undefined ? {} : { ciphers }),
    ecdhCurve: curves,
    minVersion,
    maxVersion,
  };
}
