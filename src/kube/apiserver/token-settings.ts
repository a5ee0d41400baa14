// The flags of kube-apiserver about tokens of service accounts: who issues them, whom they are for and how long they
// live. Checks and words as kube-apiserver v1.37.
import { Fault } from '#base/fault.ts';
import { parseUrl, urlProblem } from '#kube/cel/go-url.ts';
import { parseDuration } from '#kube/meta/go-duration.ts';
import { flagKey } from './access-flag-names.ts';
import type { AccessFlags } from './access-flags.ts';

export const ISSUER = 'https://kubernetes.default.svc.cluster.local';

export interface TokenSettings {
  /** The first issues, all are accepted. */
  readonly issuers: readonly [string, ...string[]];
  /** Whom a token has to be for, one of them, to be let in. */
  readonly audiences: readonly string[];
  /** Where the keys are said to be; undefined: at this server. */
  readonly jwksUri: string | undefined;
  /** What is asked for beyond is not given; undefined: all is. */
  readonly secondsMax: number | undefined;
  /** Whether the tokens that pods get unasked outlive what they ask for. */
  readonly isExtended: boolean;
}

function bad(flag: string, why: string): Fault {
  return new Fault({ code: 'bad-option', flag }, `Cannot use --${flag}: ${why}`);
}

function given(flags: AccessFlags, flag: string): string[] {
  const value = flags[flagKey(flag)];
  return value === undefined ? [] : [value].flat().map(String);
}

/** Of a flag that takes several with commas, too. */
export function listFlag(flags: AccessFlags, flag: string): string[] {
  return given(flags, flag).flatMap((one) => (one === '' ? [] : one.split(',')));
}

function issuersOf(flags: AccessFlags): readonly [string, ...string[]] {
  const flag = 'service-account-issuer';
  const [first = ISSUER, ...more] = given(flags, flag);
  const issuers = [first, ...more] as const;
  for (const [i, issuer] of issuers.entries()) {
    if (issuer === '') throw bad(flag, 'service-account-issuer should not be an empty string');
    const quoted = JSON.stringify(issuer);
    const problem = issuer.includes(':') ? urlProblem(issuer) : undefined;
    if (problem !== undefined) {
      throw bad(
        flag,
        `service-account-issuer ${quoted} contained a ':' but was not a valid URL: ${problem}`,
      );
    }
    if (issuers.indexOf(issuer) < i) {
      throw bad(flag, `service-account-issuer ${quoted} is already specified`);
    }
  }
  return issuers;
}

function jwksUriOf(flags: AccessFlags): string | undefined {
  const flag = 'service-account-jwks-uri';
  const uri = given(flags, flag).at(-1) ?? '';
  if (uri === '') return undefined;
  const problem = urlProblem(uri);
  if (problem !== undefined) throw bad(flag, `${flag} must be a valid URL: ${problem}`);
  if (!/^https:/i.test(uri)) throw bad(flag, `${flag} requires https scheme, parsed as: ${uri}`);
  return uri;
}

const SECONDS_LOW = 3_600;
const SECONDS_HIGH = 2 ** 32;

function secondsMaxOf(flags: AccessFlags): number | undefined {
  const flag = 'service-account-max-token-expiration';
  const text = given(flags, flag).at(-1) ?? '0';
  const found = parseDuration(text);
  if (typeof found !== 'number') {
    throw bad(flag, `invalid argument ${JSON.stringify(text)} for "--${flag}" flag: ${found.why}`);
  }
  if (found === 0) return undefined;
  const seconds = found / 1_000;
  if (seconds < SECONDS_LOW || seconds > SECONDS_HIGH) {
    throw bad(flag, `the ${flag} must be between 1 hour and 2^32 seconds`);
  }
  return Math.floor(seconds);
}

/** As strconv.ParseBool takes them. */
const booleans: Readonly<Record<string, boolean>> = Object.fromEntries([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((one) => [one, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((one) => [one, false] as const),
]);

function isExtendedBy(flags: AccessFlags): boolean {
  const flag = 'service-account-extend-token-expiration';
  const text = given(flags, flag).at(-1) ?? 'true';
  const found = booleans[text];
  if (found === undefined) {
    const why = `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`;
    throw bad(flag, `invalid argument ${JSON.stringify(text)} for "--${flag}" flag: ${why}`);
  }
  return found;
}

/** Throws Fault. */
export function tokenSettings(flags: AccessFlags): TokenSettings {
  const issuers = issuersOf(flags);
  const audiences = listFlag(flags, 'api-audiences');
  return {
    issuers,
    audiences: audiences.length === 0 ? issuers : audiences,
    jwksUri: jwksUriOf(flags),
    secondsMax: secondsMaxOf(flags),
    isExtended: isExtendedBy(flags),
  };
}

/** Why nobody can be told where the keys of this issuer are; its documents are not served then. */
export function undiscoverable(issuer: string): string | undefined {
  const { scheme, query } = parseUrl(issuer.includes(':') ? issuer : '/');
  return scheme !== 'https'
    ? `issuer URL must use https scheme, got: ${issuer}`
    : query !== ''
      ? `issuer URL may not include a query, got: ${issuer}`
      : /#./.test(issuer)
        ? `issuer URL may not include a fragment, got: ${issuer}`
        : undefined;
}
