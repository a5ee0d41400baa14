// AuthenticationConfiguration of apiserver.config.k8s.io/v1: issuers of tokens, and what anonymous clients may
// see; the --oidc-* flags in the same form.
import { readFileSync } from 'node:fs';
import { Problems, readConfiguration, type Json } from '#kube/apiserver/configuration-file.ts';
import type { JwtAuthenticatorConfig } from './jwt-tokens.ts';

export interface AnonymousRule {
  readonly isEnabled: boolean;
  /** Absent: everywhere. */
  readonly paths?: readonly string[] | undefined;
}

export interface AuthenticationConfiguration {
  readonly jwt: readonly JwtAuthenticatorConfig[];
  readonly anonymous: AnonymousRule | undefined;
}

const ISSUERS_MAX = 64;

function checkMapping(
  problems: Problems,
  mapping: Json | undefined,
  field: string,
  isRequired: boolean,
): void {
  const { claim = '', expression = '', prefix } = mapping ?? {};
  if (mapping !== undefined) problems.onlyKnown(field, mapping, ['claim', 'prefix', 'expression']);
  if (claim !== '' && expression !== '') {
    problems.invalid(field, '', "claim and expression can't both be set");
  }
  if (isRequired && claim === '' && expression === '') {
    problems.required(field, '', 'claim or expression is required');
  }
  const isPrefixed = field.endsWith('username') || field.endsWith('groups');
  if (isPrefixed && claim !== '' && prefix === undefined) {
    problems.required(
      `${field}.prefix`,
      '',
      'prefix is required when claim is set. It can be set to an empty string to disable prefixing',
    );
  }
  if (claim === '' && prefix !== undefined) {
    problems.invalid(field, prefix, 'prefix can only be set when claim is set');
  }
}

function checkIssuer(
  problems: Problems,
  issuer: Json,
  field: string,
  { seen, own }: { seen: Set<string>; own: readonly string[] },
): void {
  problems.onlyKnown(field, issuer, [
    'url',
    'discoveryURL',
    'certificateAuthority',
    'audiences',
    'audienceMatchPolicy',
    'egressSelectorType',
  ]);
  const url = String(issuer['url'] ?? '');
  if (problems.required(`${field}.url`, url, 'URL is required')) {
    if (!url.startsWith('https://')) {
      problems.invalid(`${field}.url`, url, 'URL scheme must be https');
    }
    if (own.includes(url)) {
      const why = `URL must not overlap with disallowed issuers: [${own.toSorted().join(' ')}]`;
      problems.invalid(`${field}.url`, url, why);
    }
    if (seen.has(url)) problems.add(`${field}.url`, `Duplicate value: ${JSON.stringify(url)}`);
    seen.add(url);
  }
  const audiences = (issuer['audiences'] ?? []) as string[];
  if (audiences.length === 0) {
    problems.required(`${field}.audiences`, '', 'at least one issuer.audiences is required');
  }
  const policy = issuer['audienceMatchPolicy'];
  if (audiences.length > 1 && policy !== 'MatchAny') {
    problems.invalid(
      `${field}.audienceMatchPolicy`,
      policy ?? '',
      'audienceMatchPolicy must be MatchAny for multiple audiences',
    );
  }
}

/** Throws Fault. */
export function readAuthentication(
  path: string,
  own: readonly string[] = [],
): AuthenticationConfiguration {
  const object = readConfiguration(path, 'apiserver.config.k8s.io', {
    kind: 'AuthenticationConfiguration',
    versions: ['v1', 'v1beta1', 'v1alpha1'],
  });
  const problems = new Problems(path);
  problems.onlyKnown('', object, ['apiVersion', 'kind', 'jwt', 'anonymous']);
  const jwt = (object['jwt'] ?? []) as Json[];
  if (jwt.length > ISSUERS_MAX) problems.add('jwt', `Too many: must have at most ${ISSUERS_MAX}`);
  const seen = new Set<string>();
  jwt.forEach((one, i) => {
    const field = `jwt[${i}]`;
    problems.onlyKnown(field, one, [
      'issuer',
      'claimValidationRules',
      'claimMappings',
      'userValidationRules',
    ]);
    checkIssuer(problems, (one['issuer'] ?? {}) as Json, `${field}.issuer`, { seen, own });
    const mappings = (one['claimMappings'] ?? {}) as Record<string, Json | undefined>;
    const at = `${field}.claimMappings`;
    problems.onlyKnown(at, mappings, ['username', 'groups', 'uid', 'extra']);
    checkMapping(problems, mappings['username'], `${at}.username`, true);
    checkMapping(problems, mappings['groups'], `${at}.groups`, false);
    checkMapping(problems, mappings['uid'], `${at}.uid`, false);
  });
  const anonymous = object['anonymous'] as
    | { enabled?: boolean; conditions?: { path: string }[] }
    | undefined;
  if (anonymous?.enabled !== true && (anonymous?.conditions ?? []).length > 0) {
    problems.invalid(
      'anonymous.conditions',
      anonymous?.conditions,
      'enabled should be set to true when conditions are defined',
    );
  }
  problems.check();
  const paths = anonymous?.conditions?.map((one) => one.path);
  return {
    jwt: jwt as unknown as JwtAuthenticatorConfig[],
    anonymous:
      anonymous === undefined ? undefined : { isEnabled: anonymous.enabled === true, paths },
  };
}

export interface OidcFlags {
  readonly issuerUrl: string;
  readonly clientId: string;
  readonly usernameClaim?: string | undefined;
  readonly usernamePrefix?: string | undefined;
  readonly groupsClaim?: string | undefined;
  readonly groupsPrefix?: string | undefined;
  readonly caFile?: string | undefined;
  /** `key=value` each. */
  readonly requiredClaims?: readonly string[] | undefined;
}

/** Users of another claim than the e-mail address are told apart by their issuer, unless the prefix is `-`. */
export function oidcConfig(flags: OidcFlags): JwtAuthenticatorConfig {
  const { issuerUrl: url, clientId, usernameClaim = 'sub', groupsClaim, caFile } = flags;
  const given = flags.usernamePrefix ?? '';
  const own = usernameClaim === 'email' ? '' : `${url}#`;
  const prefix = given === '' ? own : given === '-' ? '' : given;
  const rules = (flags.requiredClaims ?? []).map((one) => {
    const at = one.indexOf('=');
    return { claim: one.slice(0, at), requiredValue: one.slice(at + 1) };
  });
  const ca = caFile === undefined ? {} : { certificateAuthority: readFileSync(caFile, 'utf8') };
  return {
    issuer: { url, audiences: [clientId], ...ca },
    claimMappings: {
      username: { claim: usernameClaim, prefix },
      ...(groupsClaim === undefined
        ? {}
        : { groups: { claim: groupsClaim, prefix: flags.groupsPrefix ?? '' } }),
    },
    claimValidationRules: rules,
  };
}
