// The types that Kubernetes adds to CEL, with their functions: addresses, networks, URLs, quantities,
// versions and named formats, as k8s.io/apiserver v0.37 declares them.
import { labelValueProblem, nameProblem, qualifiedNameProblems } from '#kube/meta/names.ts';
import { parseCidr, parseIp, type Cidr, type IpAddress } from './addresses.ts';
import { CelFailure, Optional } from './core-values.ts';
import type { Environment } from './environment.ts';
import { parseUrl, uriProblem, type ParsedUrl } from './go-url.ts';
import { noOverload } from './operators.ts';
import { QuantityValue } from './quantities.ts';
import { parseSemver, type Semver } from './semver.ts';
import { parseType, type CelType } from './types.ts';
import type { OpaqueValue } from './values.ts';

const IP = 'net.IP';
const CIDR = 'net.CIDR';
const URL_TYPE = 'kubernetes.URL';
const QUANTITY = 'kubernetes.Quantity';
const SEMVER = 'kubernetes.Semver';
const FORMAT = 'kubernetes.NamedFormat';
const URL_OF = parseType(URL_TYPE);
const FORMAT_OF = parseType(FORMAT);

export const passes = (check: () => unknown): boolean => {
  try {
    check();
    return true;
  } catch {
    return false;
  }
};

function registerAddresses(env: Environment): void {
  env.typeName(parseType(IP));
  env.typeName(parseType(CIDR));
  env.func(`ip(string): ${IP}`, parseIp);
  env.func('isIP(string): bool', (text: string) => passes(() => parseIp(text)));
  env.func('ip.isCanonical(string): bool', (text: string) => String(parseIp(text)) === text);
  env.func(`string(${IP}): string`, String);
  env.method(`${IP}.family(): int`, (ip: IpAddress) => BigInt(ip.family));
  for (const name of [
    'isUnspecified',
    'isLoopback',
    'isLinkLocalMulticast',
    'isLinkLocalUnicast',
    'isGlobalUnicast',
  ] as const) {
    env.method(`${IP}.${name}(): bool`, (ip: IpAddress) => ip[name]);
  }
  env.func(`cidr(string): ${CIDR}`, parseCidr);
  env.func('isCIDR(string): bool', (text: string) => passes(() => parseCidr(text)));
  env.func(`string(${CIDR}): string`, String);
  // The reasons are not told.
  const parsed = <T>(parse: () => T): T => {
    try {
      return parse();
    } catch (error) {
      if (error instanceof CelFailure) throw noOverload();
      throw error;
    }
  };
  env.method(`${CIDR}.containsIP(string): bool`, (net: Cidr, ip: string) =>
    net.contains(parsed(() => parseIp(ip))),
  );
  env.method(`${CIDR}.containsIP(${IP}): bool`, (net: Cidr, ip: IpAddress) => net.contains(ip));
  env.method(`${CIDR}.containsCIDR(string): bool`, (net: Cidr, other: string) =>
    net.containsCidr(parseCidr(other)),
  );
  env.method(`${CIDR}.containsCIDR(${CIDR}): bool`, (net: Cidr, other: Cidr) =>
    net.containsCidr(other),
  );
  env.method(`${CIDR}.ip(): ${IP}`, (net: Cidr) => net.address);
  env.method(`${CIDR}.prefixLength(): int`, (net: Cidr) => BigInt(net.bits));
  env.method(`${CIDR}.masked(): ${CIDR}`, (net: Cidr) => net.masked());
}

/** A URL with a scheme, or the absolute path of a request. */
class UrlValue implements OpaqueValue {
  readonly text: string;
  readonly url: ParsedUrl;

  constructor(text: string) {
    this.text = text;
    this.url = parseUrl(text);
  }

  get celType(): CelType {
    return URL_OF;
  }

  equals(other: unknown): boolean {
    return other instanceof UrlValue && other.text === this.text;
  }

  get hostname(): string {
    const { host } = this.url;
    const bracketed = /^\[([^\]]*)\]/.exec(host)?.[1];
    return bracketed ?? host.replace(/:\d*$/, '');
  }

  get port(): string {
    return /:(\d+)$/.exec(this.url.host)?.[1] ?? '';
  }

  query(): Map<string, string[]> {
    const found = new Map<string, string[]>();
    for (const [key, value] of new URLSearchParams(this.url.query)) {
      found.set(key, [...(found.get(key) ?? []), value]);
    }
    return found;
  }
}

function toUrl(text: string): UrlValue {
  const problem = uriProblem(text);
  if (problem === undefined) return new UrlValue(text);
  throw new CelFailure(`URL parse error during conversion from string: ${problem}`);
}

function registerUrls(env: Environment): void {
  const get = (name: string, of: (url: UrlValue) => unknown, type = 'string'): void =>
    env.method(`${URL_TYPE}.${name}(): ${type}`, of);
  env.func(`url(string): ${URL_TYPE}`, toUrl);
  env.func('isURL(string): bool', (text: string) => uriProblem(text) === undefined);
  get('getScheme', ({ url }) => url.scheme);
  get('getHost', ({ url }) => url.host);
  get('getHostname', (url) => url.hostname);
  get('getPort', (url) => url.port);
  get('getEscapedPath', ({ url }) => url.path);
  get('getQuery', (url) => url.query(), 'map(string, list(string))');
}

function registerQuantities(env: Environment): void {
  env.func(`quantity(string): ${QUANTITY}`, (text: string) => QuantityValue.parse(text));
  env.func('isQuantity(string): bool', (text: string) => passes(() => QuantityValue.parse(text)));
  // No method, unlike its siblings: so it is declared upstream.
  env.func(`sign(${QUANTITY}): int`, (one: QuantityValue) => one.sign);
  env.method(`${QUANTITY}.isInteger(): bool`, (one: QuantityValue) => one.isInteger);
  env.method(`${QUANTITY}.asInteger(): int`, (one: QuantityValue) => one.asInteger());
  env.method(`${QUANTITY}.asApproximateFloat(): double`, (one: QuantityValue) => one.asFloat());
  env.method(
    `${QUANTITY}.isGreaterThan(${QUANTITY}): bool`,
    (a: QuantityValue, b: QuantityValue) => a.compare(b) > 0,
  );
  env.method(
    `${QUANTITY}.isLessThan(${QUANTITY}): bool`,
    (a: QuantityValue, b: QuantityValue) => a.compare(b) < 0,
  );
  env.method(`${QUANTITY}.compareTo(${QUANTITY}): int`, (a: QuantityValue, b: QuantityValue) =>
    BigInt(a.compare(b)),
  );
  env.method(`${QUANTITY}.add(${QUANTITY}): ${QUANTITY}`, (a: QuantityValue, b: QuantityValue) =>
    a.plus(b),
  );
  env.method(`${QUANTITY}.add(int): ${QUANTITY}`, (a: QuantityValue, b: bigint) =>
    a.plus(QuantityValue.of(b)),
  );
  env.method(`${QUANTITY}.sub(${QUANTITY}): ${QUANTITY}`, (a: QuantityValue, b: QuantityValue) =>
    a.minus(b),
  );
  env.method(`${QUANTITY}.sub(int): ${QUANTITY}`, (a: QuantityValue, b: bigint) =>
    a.minus(QuantityValue.of(b)),
  );
}

function registerSemver(env: Environment): void {
  env.func(`semver(string): ${SEMVER}`, (text: string) => parseSemver(text));
  env.func(`semver(string, bool): ${SEMVER}`, (text: string, loose: boolean) =>
    parseSemver(text, loose),
  );
  env.func('isSemver(string): bool', (text: string) => passes(() => parseSemver(text)));
  env.func('isSemver(string, bool): bool', (text: string, loose: boolean) =>
    passes(() => parseSemver(text, loose)),
  );
  env.method(
    `${SEMVER}.isGreaterThan(${SEMVER}): bool`,
    (a: Semver, b: Semver) => a.compare(b) > 0,
  );
  env.method(`${SEMVER}.isLessThan(${SEMVER}): bool`, (a: Semver, b: Semver) => a.compare(b) < 0);
  env.method(`${SEMVER}.compareTo(${SEMVER}): int`, (a: Semver, b: Semver) => BigInt(a.compare(b)));
  for (const [index, name] of ['major', 'minor', 'patch'].entries()) {
    env.method(`${SEMVER}.${name}(): int`, (one: Semver) => one.numbers[index]);
  }
}

class NamedFormat implements OpaqueValue {
  readonly name: string;
  readonly problems: (text: string) => readonly string[];
  /** Letters of the pattern behind it, for what it costs. */
  readonly patternSize: number;

  constructor(name: string, problems: (text: string) => readonly string[], patternSize: number) {
    this.name = name;
    this.problems = problems;
    this.patternSize = patternSize;
  }

  get celType(): CelType {
    return FORMAT_OF;
  }

  equals(other: unknown): boolean {
    return other instanceof NamedFormat && other.name === this.name;
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

type Check = (text: string) => readonly string[];

const formats: Readonly<Record<string, readonly [check: Check, patternSize: number]>> = {
  dns1123Label: [(text) => some(nameProblem('label', text)), 30],
  dns1123Subdomain: [(text) => some(nameProblem('subdomain', text)), 60],
  dns1035Label: [(text) => some(nameProblem('label1035', text)), 30],
  qualifiedName: [(text) => qualifiedNameProblems(text), 60],
  dns1123LabelPrefix: [(text) => some(nameProblem('label', prefix(text))), 30],
  dns1123SubdomainPrefix: [(text) => some(nameProblem('subdomain', prefix(text))), 60],
  dns1035LabelPrefix: [(text) => some(nameProblem('label1035', prefix(text))), 30],
  labelValue: [(text) => some(labelValueProblem(text)), 40],
  uri: [(text) => some(uriProblem(text)), 1103],
  uuid: [(text) => (UUID.test(text) ? [] : ['does not match the UUID format']), 70],
  byte: [(text) => (text !== '' && BASE64.test(text) ? [] : ['invalid base64']), 84],
  date: [(text) => (isDate(text) ? [] : ['invalid date']), 71],
  datetime: [(text) => (isDateTime(text) ? [] : ['invalid datetime']), 71],
};

function registerFormats(env: Environment): void {
  const found = new Map(
    Object.entries(formats).map(([name, [check, patternSize]]) => [
      name,
      new NamedFormat(name, check, patternSize),
    ]),
  );
  for (const [name, format] of found) {
    env.func(`format.${name}(): ${FORMAT}`, () => format);
  }
  const named = (name: string): unknown => {
    const format = found.get(name);
    return format === undefined ? Optional.none() : Optional.of(format);
  };
  env.func(`format.named(string): optional_type(${FORMAT})`, named);
  const validate = (format: NamedFormat, text: string): unknown => {
    const problems = format.problems(text);
    return problems.length === 0 ? Optional.none() : Optional.of([...problems]);
  };
  env.method(`${FORMAT}.validate(string): optional_type(list(string))`, validate);
}

export function registerTypes(env: Environment): void {
  registerAddresses(env);
  registerUrls(env);
  registerQuantities(env);
  registerSemver(env);
  registerFormats(env);
}
