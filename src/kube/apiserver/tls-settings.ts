// The flags of kube-apiserver about TLS: which ciphers and versions clients may choose, and that browsers are to keep
// to it. Checks and words as kube-apiserver v1.37.
import { joinedFailures } from '#kube/meta/status.ts';
import { ciphers as presets } from '#http2/server.ts';
import {
  badFlag,
  badValue,
  listFlag,
  textFlag,
  textsFlag,
  type AccessFlags,
} from './flag-values.ts';

const CIPHERS = 'tls-cipher-suites';
const VERSION = 'tls-min-version';
const CURVES = 'tls-curve-preferences';
const DIRECTIVES = 'strict-transport-security-directives';

/** Go's names of what OpenSSL has under others; undefined: it has none (RC4 and triple DES are not built in). */
const suites: Readonly<Record<string, string | undefined>> = {
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: 'ECDHE-ECDSA-AES128-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_RC4_128_SHA: undefined,
  TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA: undefined,
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256: 'ECDHE-RSA-AES128-SHA256',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_RC4_128_SHA: undefined,
  TLS_RSA_WITH_3DES_EDE_CBC_SHA: undefined,
  TLS_RSA_WITH_AES_128_CBC_SHA: 'AES128-SHA',
  TLS_RSA_WITH_AES_128_CBC_SHA256: 'AES128-SHA256',
  TLS_RSA_WITH_AES_128_GCM_SHA256: 'AES128-GCM-SHA256',
  TLS_RSA_WITH_AES_256_CBC_SHA: 'AES256-SHA',
  TLS_RSA_WITH_AES_256_GCM_SHA384: 'AES256-GCM-SHA384',
  TLS_RSA_WITH_RC4_128_SHA: undefined,
};

/** Of TLS 1.3: nobody chooses among them, in Go neither. */
const newest = presets.split(':').filter((name) => name.startsWith('TLS_'));
const newestNames = new Set([
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
]);

/** What this server does not speak is not spoken: 1.2 is the oldest there is. */
const versions: Readonly<Record<string, 'TLSv1.2' | 'TLSv1.3'>> = {
  VersionTLS10: 'TLSv1.2',
  VersionTLS11: 'TLSv1.2',
  VersionTLS12: 'TLSv1.2',
  VersionTLS13: 'TLSv1.3',
};

/** Go's numbers of ways to agree on keys, by the names that OpenSSL has for them. */
const curves: ReadonlyMap<number, string> = new Map([
  [23, 'P-256'],
  [24, 'P-384'],
  [25, 'P-521'],
  [29, 'X25519'],
  [4_587, 'SecP256r1MLKEM768'],
  [4_588, 'X25519MLKEM768'],
  [4_589, 'SecP384r1MLKEM1024'],
]);
const CURVE_MAX = 65_535;

/** As strconv.ParseInt reads an int32, but for underscores. Throws Fault. */
function wholeNumber(flag: string, all: string, text: string): number {
  const [, sign = '', digits = ''] =
    /^([-+]?)(0[xX][\da-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9]\d*)$/.exec(text) ?? [];
  const size = Number(digits.replace(/^0(?=[0-7])/, '0o'));
  const isInRange = size < 2 ** 31 || (sign === '-' && size === 2 ** 31);
  if (digits !== '' && isInRange) return sign === '-' ? -size : size;
  const why = digits === '' ? 'invalid syntax' : 'value out of range';
  throw badValue(flag, all, `strconv.ParseInt: parsing ${JSON.stringify(text)}: ${why}`);
}

/** As OpenSSL takes them; undefined: its own. Nobody chooses their order, in Go neither. Throws Fault. */
function curvesOf(flags: AccessFlags): string | undefined {
  const seen = new Set<number>();
  for (const text of listFlag(flags, CURVES)) {
    const id = wholeNumber(CURVES, textsFlag(flags, CURVES).join(','), text);
    if (id < 1 || id > CURVE_MAX) {
      throw badFlag(CURVES, `curve preference ${id} is out of range (must be 1-${CURVE_MAX})`);
    }
    if (seen.has(id)) throw badFlag(CURVES, `duplicate curve preference ${id}`);
    if (!curves.has(id)) {
      throw badFlag(CURVES, `curve preference ${id} is not supported by the current Go version`);
    }
    seen.add(id);
  }
  if (seen.size === 0) return undefined;
  return [...curves].flatMap(([id, name]) => (seen.has(id) ? [name] : [])).join(':');
}

export interface TlsSettings {
  /** As OpenSSL takes them. */
  readonly ciphers: string;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly ecdhCurve?: string;
}

/** Throws Fault. */
export function tlsSettings(flags: AccessFlags): TlsSettings {
  const named = textFlag(flags, VERSION) ?? 'VersionTLS12';
  const minVersion = Object.hasOwn(versions, named) ? versions[named] : undefined;
  if (minVersion === undefined) {
    throw badFlag(VERSION, `unknown tls version ${JSON.stringify(named)}`);
  }
  const found = curvesOf(flags);
  const common = { minVersion, ...(found === undefined ? {} : { ecdhCurve: found }) };
  const wanted = listFlag(flags, CIPHERS);
  if (wanted.length === 0) return { ciphers: presets, ...common };
  const unknown = wanted.find((name) => !Object.hasOwn(suites, name) && !newestNames.has(name));
  if (unknown !== undefined) {
    throw badFlag(CIPHERS, `Cipher suite ${unknown} not supported or doesn't exist`);
  }
  const isEnough = wanted.some((name) =>
    /^TLS_ECDHE_(?:RSA|ECDSA)_WITH_AES_128_GCM_SHA256$/.test(name),
  );
  if (!isEnough && minVersion !== 'TLSv1.3') {
    throw badFlag(
      CIPHERS,
      'error configuring http2: http2: TLSConfig.CipherSuites is missing an HTTP/2-required AES_128_GCM_SHA256 cipher (need at least one of TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)',
    );
  }
  const older = wanted.flatMap((name) => suites[name] ?? []);
  return { ciphers: [...newest, ...older].join(':'), ...common };
}

const allowed = `--${DIRECTIVES} invalid, allowed values: max-age=expireTime, includeSubDomains, preload. see https://tools.ietf.org/html/rfc6797#section-6.1 for more information`;

/** What Strict-Transport-Security says in answers; undefined: it is not there. Throws Fault. */
export function strictTransport(flags: AccessFlags): string | undefined {
  const directives = listFlag(flags, DIRECTIVES);
  const problems = directives.flatMap((one) => {
    if (one.trim() === '') return [`empty value in ${DIRECTIVES}`];
    const isKnown = one === 'includeSubDomains' || one === 'preload' || /^max-age=[^=]*$/.test(one);
    return isKnown ? [] : [allowed];
  });
  if (problems.length > 0) throw badFlag(DIRECTIVES, joinedFailures(problems));
  return directives.length === 0 ? undefined : directives.join('; ');
}
