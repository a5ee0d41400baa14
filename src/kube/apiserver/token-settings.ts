// The flags of kube-apiserver about tokens of service accounts: who issues them, whom they are for and how long they
// live. Checks and words as kube-apiserver v1.37.
import { parseUrl, urlProblem } from '#kube/cel/go-url.ts';
import { durationText } from '#kube/types/special-messages.ts';
import {
  badFlag,
  booleanFlag,
  durationFlag,
  listFlag,
  textsFlag,
  type AccessFlags,
} from './flag-values.ts';

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
  /** How long tokens live then. */
  readonly secondsExtended: number;
  /** Whether the tokens that pods get unasked outlive what they ask for. */
  readonly isExtended: boolean;
}

function issuersOf(flags: AccessFlags): readonly [string, ...string[]] {
  const flag = 'service-account-issuer';
  const [first = ISSUER, ...more] = textsFlag(flags, flag);
  const issuers = [first, ...more] as const;
  for (const [i, issuer] of issuers.entries()) {
    if (issuer === '') throw badFlag(flag, 'service-account-issuer should not be an empty string');
    const quoted = JSON.stringify(issuer);
    const problem = issuer.includes(':') ? urlProblem(issuer) : undefined;
    if (problem !== undefined) {
      throw badFlag(
        flag,
        `service-account-issuer ${quoted} contained a ':' but was not a valid URL: ${problem}`,
      );
    }
    if (issuers.indexOf(issuer) < i) {
      throw badFlag(flag, `service-account-issuer ${quoted} is already specified`);
    }
  }
  return issuers;
}

function jwksUriOf(flags: AccessFlags): string | undefined {
  const flag = 'service-account-jwks-uri';
  const uri = textsFlag(flags, flag).at(-1) ?? '';
  if (uri === '') return undefined;
  const problem = urlProblem(uri);
  if (problem !== undefined) throw badFlag(flag, `${flag} must be a valid URL: ${problem}`);
  if (!/^https:/i.test(uri))
    throw badFlag(flag, `${flag} requires https scheme, parsed as: ${uri}`);
  return uri;
}

const SECONDS_EXTENDED = 365 * 24 * 60 * 60;
const SECONDS_LOW = 3_600;
const SECONDS_HIGH = 2 ** 32;

function secondsMaxOf(flags: AccessFlags): number | undefined {
  const flag = 'service-account-max-token-expiration';
  const found = durationFlag(flags, flag, '0');
  if (found === 0) return undefined;
  const seconds = found / 1_000;
  if (seconds < SECONDS_LOW || seconds > SECONDS_HIGH) {
    throw badFlag(flag, `the ${flag} must be between 1 hour and 2^32 seconds`);
  }
  return Math.floor(seconds);
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
    secondsExtended: SECONDS_EXTENDED,
    isExtended: booleanFlag(flags, 'service-account-extend-token-expiration', true),
  };
}

/** Of who signs elsewhere: tokens live no longer than they do there. Throws Fault. */
export function limitedBy(settings: TokenSettings, seconds: number): TokenSettings {
  const { secondsMax = seconds } = settings;
  if (secondsMax > seconds) {
    const [wanted, most] = [secondsMax, seconds].map((one) => durationText(one * 1e9));
    throw badFlag(
      'service-account-max-token-expiration',
      `service-account-max-token-expiration cannot be set longer than the token expiration supported by service-account-signing-endpoint: ${wanted} > ${most}`,
    );
  }
  const secondsExtended = Math.min(seconds, settings.secondsExtended);
  return { ...settings, secondsMax, secondsExtended };
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
