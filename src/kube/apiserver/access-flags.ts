// The flags of kube-apiserver that say who gets in, and what they make of this server.
import type { Env } from '#env/env.ts';
import {
  oidcConfig,
  readAuthentication,
  type AnonymousRule,
} from './authn/authentication-configuration.ts';
import { JwtTokens, SIGNING_ALGORITHMS } from './authn/jwt-tokens.ts';
import { StaticTokens } from './authn/static-tokens.ts';
import type { TokenSource } from './authn/token-source.ts';
import { TokenWebhook } from './authn/token-webhook.ts';
import { authorizationModes } from './authorization-flags.ts';
import type { AuthorizerSpec } from './authz/authorization-configuration.ts';
import type { IssuerMetrics } from './metrics/issuer-metrics.ts';
import { badFlag, durationFlag, textFlag, textsFlag, type AccessFlags } from './flag-values.ts';
import { readEndpoint } from './kubeconfig-endpoint.ts';
import { tokenSettings } from './token-settings.ts';

export interface Authentication {
  readonly sources: readonly TokenSource[];
  readonly anonymous: AnonymousRule;
  /** What the configuration says of it, if anything. */
  readonly saidAnonymous?: AnonymousRule | undefined;
  /** Those of `sources` that come from a configuration. */
  readonly issuers?: readonly JwtTokens[];
}

/** Who gets in, and who is asked what they may; what is absent is as by default. */
export interface AccessSetup {
  readonly authentication: Authentication;
  readonly authorizers: readonly AuthorizerSpec[];
  readonly issuers?: IssuerMetrics | undefined;
}

function oidcTokens(flags: AccessFlags, env: Env, metrics: IssuerMetrics | undefined): JwtTokens[] {
  const issuerUrl = textFlag(flags, 'oidc-issuer-url');
  const clientId = textFlag(flags, 'oidc-client-id');
  if (issuerUrl === undefined && clientId === undefined) return [];
  if (issuerUrl === undefined || clientId === undefined) {
    throw badFlag(
      'oidc-issuer-url',
      'oidc-issuer-url and oidc-client-id must be specified together',
    );
  }
  const config = oidcConfig({
    issuerUrl,
    clientId,
    usernameClaim: textFlag(flags, 'oidc-username-claim'),
    usernamePrefix: textFlag(flags, 'oidc-username-prefix'),
    groupsClaim: textFlag(flags, 'oidc-groups-claim'),
    groupsPrefix: textFlag(flags, 'oidc-groups-prefix'),
    caFile: textFlag(flags, 'oidc-ca-file'),
    requiredClaims: textsFlag(flags, 'oidc-required-claim'),
  });
  const algorithms = (textFlag(flags, 'oidc-signing-algs') ?? 'RS256').split(',');
  const unknown = algorithms.find((one) => !SIGNING_ALGORITHMS.includes(one));
  if (unknown !== undefined)
    throw badFlag('oidc-signing-algs', `unsupported algorithm "${unknown}"`);
  return [new JwtTokens(config, env, { field: 'jwt[0]', algorithms, metrics })];
}

/** Throws Fault for flags and files that cannot be used. */
export function authenticationOf(
  flags: AccessFlags,
  env: Env,
  metrics?: IssuerMetrics,
): Authentication {
  const sources: TokenSource[] = [];
  const tokens = textFlag(flags, 'token-auth-file');
  if (tokens !== undefined) sources.push(StaticTokens.read(tokens));
  const file = textFlag(flags, 'authentication-config');
  const config =
    file === undefined ? undefined : readAuthentication(file, tokenSettings(flags).issuers);
  const oidc = oidcTokens(flags, env, metrics);
  if (config !== undefined && oidc.length > 0) {
    throw badFlag('authentication-config', 'it cannot stand beside --oidc-* flags');
  }
  sources.push(...oidc);
  const issuers = (config?.jwt ?? []).map(
    (one, i) => new JwtTokens(one, env, { field: `jwt[${i}]`, metrics }),
  );
  sources.push(...issuers);
  const webhook = textFlag(flags, 'authentication-token-webhook-config-file');
  if (webhook !== undefined) {
    const ttlMs = durationFlag(flags, 'authentication-token-webhook-cache-ttl', '2m');
    sources.push(new TokenWebhook(readEndpoint(webhook), ttlMs, env));
  }
  const anonymous = textFlag(flags, 'anonymous-auth');
  if (anonymous !== undefined && config?.anonymous !== undefined) {
    throw badFlag('anonymous-auth', 'the authentication configuration says it already');
  }
  // Who may do anything is somebody: upstream switches it off, too.
  const allowsAll = authorizationModes(flags)?.includes('AlwaysAllow') === true;
  const preset = { isEnabled: anonymous !== 'false' && !allowsAll };
  const saidAnonymous = config?.anonymous;
  return { sources, anonymous: saidAnonymous ?? preset, saidAnonymous, issuers };
}
