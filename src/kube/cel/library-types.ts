// The types that Kubernetes adds to CEL, with their functions: addresses, networks, URLs, quantities,
// versions and named formats, as k8s.io/apiserver v0.37 declares them.
import type { Environment } from '@marcbachmann/cel-js';
import { Optional } from '@marcbachmann/cel-js';
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';
import { labelValueProblem, nameProblem, qualifiedNameProblems } from '#kube/meta/names.ts';
import { CelFailure, Cidr, IpAddress, parseCidr, parseIp } from './addresses.ts';
import { namespaceFor, operator, sync } from './namespaces.ts';
import { durationText, timestampText } from './values.ts';
import { QuantityValue } from './quantities.ts';
import { parseSemver, Semver } from './semver.ts';

const IP = 'net.IP';
const CIDR = 'net.CIDR';
const URL_TYPE = 'kubernetes.URL';
const QUANTITY = 'kubernetes.Quantity';
const SEMVER = 'kubernetes.Semver';
const FORMAT = 'kubernetes.NamedFormat';

export const passes = (check: () => unknown): boolean => {
  try {
    check();
    return true;
  } catch {
    return false;
  }
};

function registerAddresses(env: Environment): void {
  env.registerType(IP, IpAddress);
  env.registerType(CIDR, Cidr);
  operator(env, `${IP} == ${IP}`, (a: IpAddress, b: IpAddress) => a.equals(b));
  operator(env, `${CIDR} == ${CIDR}`, (a: Cidr, b: Cidr) => a.equals(b));
  const add = (signature: string, handler: (...args: never[]) => unknown): void =>
    void env.registerFunction(signature, handler as (...args: unknown[]) => unknown, sync);
  add(`ip(string): ${IP}`, parseIp);
  add('isIP(string): bool', (text: string) => passes(() => parseIp(text)));
  const own = namespaceFor(env, 'ip');
  add(
    `${own}.isCanonical(string): bool`,
    (_: unknown, text: string) => String(parseIp(text)) === text,
  );
  add(`string(${IP}): string`, String);
  add(`${IP}.family(): int`, (ip: IpAddress) => BigInt(ip.family));
  for (const name of [
    'isUnspecified',
    'isLoopback',
    'isLinkLocalMulticast',
    'isLinkLocalUnicast',
    'isGlobalUnicast',
  ] as const) {
    add(`${IP}.${name}(): bool`, (ip: IpAddress) => ip[name]);
  }
  add(`cidr(string): ${CIDR}`, parseCidr);
  add('isCIDR(string): bool', (text: string) => passes(() => parseCidr(text)));
  add(`string(${CIDR}): string`, String);
  add(`${CIDR}.containsIP(string): bool`, (net: Cidr, ip: string) => net.contains(parseIp(ip)));
  add(`${CIDR}.containsIP(${IP}): bool`, (net: Cidr, ip: IpAddress) => net.contains(ip));
  add(`${CIDR}.containsCIDR(string): bool`, (net: Cidr, other: string) =>
    net.containsCidr(parseCidr(other)),
  );
  add(`${CIDR}.containsCIDR(${CIDR}): bool`, (net: Cidr, other: Cidr) => net.containsCidr(other));
  add(`${CIDR}.ip(): ${IP}`, (net: Cidr) => net.address);
  add(`${CIDR}.prefixLength(): int`, (net: Cidr) => BigInt(net.bits));
  add(`${CIDR}.masked(): ${CIDR}`, (net: Cidr) => net.masked());
}

/** A URL with a scheme, or the absolute path of a request. Its texts are kept as they were written. */
class UrlValue {
  readonly text: string;
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly search: string;

  constructor(text: string) {
    const match = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?/.exec(
      text,
    );
    const [, scheme = '', authority = '', path = '', search = ''] = match ?? [];
    this.text = text;
    this.scheme = scheme.toLowerCase();
    this.host = authority.slice(authority.lastIndexOf('@') + 1);
    this.path = path;
    this.search = search;
  }

  get hostname(): string {
    const bracketed = /^\[([^\]]*)\]/.exec(this.host)?.[1];
    return bracketed ?? this.host.replace(/:\d*$/, '');
  }

  get port(): string {
    return /:(\d+)$/.exec(this.host)?.[1] ?? '';
  }

  query(): Map<string, string[]> {
    const found = new Map<string, string[]>();
    for (const [key, value] of new URLSearchParams(this.search)) {
      found.set(key, [...(found.get(key) ?? []), value]);
    }
    return found;
  }
}

/** Why Go's url.ParseRequestURI refuses the text, or undefined. */
export function uriProblem(text: string): string | undefined {
  const fail = (why: string): string => `parse ${JSON.stringify(text)}: ${why}`;
  if (text === '') return fail('empty url');
  const isControl = (letter: string): boolean => letter < ' ' || letter === '\u007F';
  if ([...text].some(isControl)) return fail('net/url: invalid control character in URL');
  if (/%(?![0-9a-fA-F]{2})/.test(text)) {
    const bad = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(text)?.[0] ?? '%';
    return fail(`invalid URL escape ${JSON.stringify(bad)}`);
  }
  if (text.startsWith('/')) return undefined;
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text);
  if (scheme === null) return fail('invalid URI for request');
  const host = /^[^:]*:\/\/([^/?#]*)/.exec(text)?.[1] ?? '';
  const plain = host.slice(host.lastIndexOf('@') + 1);
  if (/[ <>"]/.test(plain))
    return fail(`invalid character ${JSON.stringify(/[ <>"]/.exec(plain)?.[0])} in host name`);
  const port = /:([^\]:]*)$/.exec(plain)?.[1];
  if (port !== undefined && !/^\d*$/.test(port)) {
    return fail(`invalid port ${JSON.stringify(`:${port}`)} after host`);
  }
  if (!plain.startsWith('[') && (plain.match(/:/g) ?? []).length > 1) {
    return fail(`invalid port ${JSON.stringify(plain.slice(plain.indexOf(':')))} after host`);
  }
  return undefined;
}

function parseUrl(text: string): UrlValue {
  const problem = uriProblem(text);
  if (problem === undefined) return new UrlValue(text);
  throw new CelFailure(`URL parse error during conversion from string: ${problem}`);
}

function registerUrls(env: Environment): void {
  env.registerType(URL_TYPE, UrlValue);
  operator(env, `${URL_TYPE} == ${URL_TYPE}`, (a: UrlValue, b: UrlValue) => a.text === b.text);
  const get = (name: string, of: (url: UrlValue) => unknown, type = 'string'): void =>
    void env.registerFunction(`${URL_TYPE}.${name}(): ${type}`, of, sync);
  env.registerFunction(`url(string): ${URL_TYPE}`, parseUrl, sync);
  env.registerFunction(
    'isURL(string): bool',
    (text: string) => uriProblem(text) === undefined,
    sync,
  );
  get('getScheme', (url) => url.scheme);
  get('getHost', (url) => url.host);
  get('getHostname', (url) => url.hostname);
  get('getPort', (url) => url.port);
  get('getEscapedPath', (url) => url.path);
  get('getQuery', (url) => url.query(), 'map<string, list<string>>');
}

function registerQuantities(env: Environment): void {
  env.registerType(QUANTITY, QuantityValue);
  const add = (signature: string, handler: (...args: never[]) => unknown): void =>
    void env.registerFunction(signature, handler as (...args: unknown[]) => unknown, sync);
  operator(env, `${QUANTITY} == ${QUANTITY}`, (a: QuantityValue, b: QuantityValue) => a.equals(b));
  add(`quantity(string): ${QUANTITY}`, (text: string) => QuantityValue.parse(text));
  add('isQuantity(string): bool', (text: string) => passes(() => QuantityValue.parse(text)));
  // No method, unlike its siblings: so it is declared upstream.
  add(`sign(${QUANTITY}): int`, (one: QuantityValue) => one.sign);
  add(`${QUANTITY}.isInteger(): bool`, (one: QuantityValue) => one.isInteger);
  add(`${QUANTITY}.asInteger(): int`, (one: QuantityValue) => one.asInteger());
  add(`${QUANTITY}.asApproximateFloat(): double`, (one: QuantityValue) => one.asFloat());
  add(
    `${QUANTITY}.isGreaterThan(${QUANTITY}): bool`,
    (a: QuantityValue, b: QuantityValue) => a.compare(b) > 0,
  );
  add(
    `${QUANTITY}.isLessThan(${QUANTITY}): bool`,
    (a: QuantityValue, b: QuantityValue) => a.compare(b) < 0,
  );
  add(`${QUANTITY}.compareTo(${QUANTITY}): int`, (a: QuantityValue, b: QuantityValue) =>
    BigInt(a.compare(b)),
  );
  add(`${QUANTITY}.add(${QUANTITY}): ${QUANTITY}`, (a: QuantityValue, b: QuantityValue) =>
    a.plus(b),
  );
  add(`${QUANTITY}.add(int): ${QUANTITY}`, (a: QuantityValue, b: bigint) =>
    a.plus(QuantityValue.of(b)),
  );
  add(`${QUANTITY}.sub(${QUANTITY}): ${QUANTITY}`, (a: QuantityValue, b: QuantityValue) =>
    a.minus(b),
  );
  add(`${QUANTITY}.sub(int): ${QUANTITY}`, (a: QuantityValue, b: bigint) =>
    a.minus(QuantityValue.of(b)),
  );
}

function registerSemver(env: Environment): void {
  env.registerType(SEMVER, Semver);
  const add = (signature: string, handler: (...args: never[]) => unknown): void =>
    void env.registerFunction(signature, handler as (...args: unknown[]) => unknown, sync);
  operator(env, `${SEMVER} == ${SEMVER}`, (a: Semver, b: Semver) => a.equals(b));
  add(`semver(string): ${SEMVER}`, (text: string) => parseSemver(text));
  add(`semver(string, bool): ${SEMVER}`, (text: string, loose: boolean) =>
    parseSemver(text, loose),
  );
  add('isSemver(string): bool', (text: string) => passes(() => parseSemver(text)));
  add('isSemver(string, bool): bool', (text: string, loose: boolean) =>
    passes(() => parseSemver(text, loose)),
  );
  add(`${SEMVER}.isGreaterThan(${SEMVER}): bool`, (a: Semver, b: Semver) => a.compare(b) > 0);
  add(`${SEMVER}.isLessThan(${SEMVER}): bool`, (a: Semver, b: Semver) => a.compare(b) < 0);
  add(`${SEMVER}.compareTo(${SEMVER}): int`, (a: Semver, b: Semver) => BigInt(a.compare(b)));
  for (const [index, name] of ['major', 'minor', 'patch'].entries()) {
    add(`${SEMVER}.${name}(): int`, (one: Semver) => one.numbers[index]);
  }
}

class NamedFormat {
  readonly name: string;
  readonly problems: (text: string) => readonly string[];

  constructor(name: string, problems: (text: string) => readonly string[]) {
    this.name = name;
    this.problems = problems;
  }
}

const some = (problem: string | undefined): string[] => (problem === undefined ? [] : [problem]);
const prefix = (text: string): string => (text.length > 1 ? text.replace(/-$/, 'a') : text);
const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const DATE = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/;
const DATE_TIME = /^\d{4}-\d\d-\d\d[tT]\d\d:\d\d:\d\d(\.\d+)?([zZ]|[+-]\d\d:\d\d)$/;

const isDate = (text: string): boolean => DATE.test(text) && !Number.isNaN(Date.parse(text));
const isDateTime = (text: string): boolean =>
  DATE_TIME.test(text) && !Number.isNaN(Date.parse(text));

const formats: Readonly<Record<string, (text: string) => readonly string[]>> = {
  dns1123Label: (text) => some(nameProblem('label', text)),
  dns1123Subdomain: (text) => some(nameProblem('subdomain', text)),
  dns1035Label: (text) => some(nameProblem('label1035', text)),
  qualifiedName: (text) => qualifiedNameProblems(text),
  dns1123LabelPrefix: (text) => some(nameProblem('label', prefix(text))),
  dns1123SubdomainPrefix: (text) => some(nameProblem('subdomain', prefix(text))),
  dns1035LabelPrefix: (text) => some(nameProblem('label1035', prefix(text))),
  labelValue: (text) => some(labelValueProblem(text)),
  uri: (text) => some(uriProblem(text)),
  uuid: (text) => (UUID.test(text) ? [] : ['does not match the UUID format']),
  byte: (text) => (text !== '' && BASE64.test(text) ? [] : ['invalid base64']),
  date: (text) => (isDate(text) ? [] : ['invalid date']),
  datetime: (text) => (isDateTime(text) ? [] : ['invalid datetime']),
};

function registerFormats(env: Environment): void {
  env.registerType(FORMAT, NamedFormat);
  operator(env, `${FORMAT} == ${FORMAT}`, (a: NamedFormat, b: NamedFormat) => a.name === b.name);
  const own = namespaceFor(env, 'format');
  const found = new Map(
    Object.entries(formats).map(([name, check]) => [name, new NamedFormat(name, check)]),
  );
  for (const [name, format] of found) {
    env.registerFunction(`${own}.${name}(): ${FORMAT}`, () => format, sync);
  }
  const named = (_: unknown, name: string): unknown => {
    const format = found.get(name);
    return format === undefined ? Optional.none() : Optional.of(format);
  };
  env.registerFunction(`${own}.named(string): optional<${FORMAT}>`, named, sync);
  const validate = (format: NamedFormat, text: string): unknown => {
    const problems = format.problems(text);
    return problems.length === 0 ? Optional.none() : Optional.of([...problems]);
  };
  env.registerFunction(`${FORMAT}.validate(string): optional<list<string>>`, validate, sync);
}

/** What is as good as nothing: empty, zero, false, null. */
function isZero(value: unknown): boolean {
  if (value === null || value === '' || value === false || value === 0 || value === 0n) return true;
  if (Array.isArray(value)) return value.length === 0;
  if (value instanceof Map || value instanceof Set) return value.size === 0;
  if (value instanceof Uint8Array) return value.length === 0;
  if (value instanceof UnsignedInt) return value.value === 0n;
  if (value instanceof Duration) return value.seconds === 0n && value.nanos === 0;
  return (
    typeof value === 'object' && value?.constructor === Object && Object.keys(value).length === 0
  );
}

export function registerTypes(env: Environment): void {
  env.registerFunction('string(google.protobuf.Duration): string', durationText as never, sync);
  env.registerFunction('string(google.protobuf.Timestamp): string', timestampText as never, sync);
  const ofNonZero = (_space: unknown, value: unknown): Optional =>
    isZero(value) ? Optional.none() : Optional.of(value);
  env.registerFunction('OptionalNamespace.ofNonZeroValue(A): optional<A>', ofNonZero, sync);
  registerAddresses(env);
  registerUrls(env);
  registerQuantities(env);
  registerSemver(env);
  registerFormats(env);
}
