// The flags of kube-apiserver that say who gets in and who may what, and what they make of this server.
import { Fault } from '#base/fault.ts';
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
import { flagKey } from './access-flag-names.ts';
import { readAuthorization, type AuthorizerSpec } from './authz/authorization-configuration.ts';
import { durationMs } from '#kube/meta/go-duration.ts';
import { readEndpoint } from './kubeconfig-endpoint.ts';
import { tokenSettings } from './token-settings.ts';

/** Flag names as commander writes them: --token-auth-file is `tokenAuthFile`. */
export type AccessFlags = Readonly<Record<string, unknown>>;

function bad(flag: string, why: string): Fault {
  return new Fault({ code: 'bad-option', flag }, `Cannot use --${flag}: ${why}`);
}

export function textFlag(flags: AccessFlags, flag: string): string | undefined {
  const value = flags[flagKey(flag)];
  return value === undefined || value === '' ? undefined : String(value);
}

export function durationFlag(flags: AccessFlags, flag: string, preset: string): number {
  const text = textFlag(flags, flag) ?? preset;
  const found = durationMs(text);
  if (found === undefined) throw bad(flag, `"${text}" is no duration`);
  return found;
}

export interface Authentication {
  readonly sources: readonly TokenSource[];
  readonly anonymous: AnonymousRule;
}

function oidcTokens(flags: AccessFlags, env: Env): JwtTokens[] {
  const issuerUrl = textFlag(flags, 'oidc-issuer-url');
  const clientId = textFlag(flags, 'oidc-client-id');
  if (issuerUrl === undefined && clientId === undefined) return [];
  if (issuerUrl === undefined || clientId === undefined) {
    throw bad('oidc-issuer-url', 'oidc-issuer-url and oidc-client-id must be specified together');
  }
  const required = flags[flagKey('oidc-required-claim')];
  const config = oidcConfig({
    issuerUrl,
    clientId,
    usernameClaim: textFlag(flags, 'oidc-username-claim'),
    usernamePrefix: textFlag(flags, 'oidc-username-prefix'),
    groupsClaim: textFlag(flags, 'oidc-groups-claim'),
    groupsPrefix: textFlag(flags, 'oidc-groups-prefix'),
    caFile: textFlag(flags, 'oidc-ca-file'),
    requiredClaims: required === undefined ? [] : ([required].flat() as string[]),
  });
  const algorithms = (textFlag(flags, 'oidc-signing-algs') ?? 'RS256').split(',');
  const unknown = algorithms.find((one) => !SIGNING_ALGORITHMS.includes(one));
  if (unknown !== undefined) throw bad('oidc-signing-algs', `unsupported algorithm "${unknown}"`);
  return [new JwtTokens(config, env, { field: 'jwt[0]', algorithms })];
}

/** Throws Fault for flags and files that cannot be used. */
export function authenticationOf(flags: AccessFlags, env: Env): Authentication {
  const sources: TokenSource[] = [];
  const tokens = textFlag(flags, 'token-auth-file');
  if (tokens !== undefined) sources.push(StaticTokens.read(tokens));
  const file = textFlag(flags, 'authentication-config');
  const config =
    file === undefined ? undefined : readAuthentication(file, tokenSettings(flags).issuers);
  const oidc = oidcTokens(flags, env);
  if (config !== undefined && oidc.length > 0) {
    throw bad('authentication-config', 'it cannot stand beside --oidc-* flags');
  }
  sources.push(...oidc);
  config?.jwt.forEach((one, i) => {
    sources.push(new JwtTokens(one, env, { field: `jwt[${i}]` }));
  });
  const webhook = textFlag(flags, 'authentication-token-webhook-config-file');
  if (webhook !== undefined) {
    const ttlMs = durationFlag(flags, 'authentication-token-webhook-cache-ttl', '2m');
    sources.push(new TokenWebhook(readEndpoint(webhook), ttlMs, env));
  }
  const anonymous = textFlag(flags, 'anonymous-auth');
  if (anonymous !== undefined && config?.anonymous !== undefined) {
    throw bad('anonymous-auth', 'the authentication configuration says it already');
  }
  // Who may do anything is somebody: upstream switches it off, too.
  const allowsAll = (textFlag(flags, 'authorization-mode') ?? '')
    .split(',')
    .includes('AlwaysAllow');
  const preset = { isEnabled: anonymous !== 'false' && !allowsAll };
  return { sources, anonymous: config?.anonymous ?? preset };
}

const modes = ['Node', 'RBAC', 'Webhook', 'AlwaysAllow', 'AlwaysDeny'] as const;

/** Throws Fault. */
export function authorizersOf(flags: AccessFlags): AuthorizerSpec[] {
  const file = textFlag(flags, 'authorization-config');
  const mode = textFlag(flags, 'authorization-mode');
  const webhook = textFlag(flags, 'authorization-webhook-config-file');
  if (file !== undefined) {
    if (mode !== undefined || webhook !== undefined) {
      throw bad('authorization-config', 'it cannot stand beside other --authorization-* flags');
    }
    return readAuthorization(file);
  }
  return (mode ?? 'Node,RBAC').split(',').map((type): AuthorizerSpec => {
    const known = modes.find((one) => one === type);
    if (known === undefined) throw bad('authorization-mode', `"${type}" is not one of ${modes}`);
    const name = type.toLowerCase();
    if (known !== 'Webhook') return { type: known, name };
    if (webhook === undefined) {
      throw bad('authorization-mode', 'Webhook needs --authorization-webhook-config-file');
    }
    return {
      type: 'Webhook',
      name: 'default',
      webhook: {
        endpoint: readEndpoint(webhook),
        authorizedTtlMs: durationFlag(flags, 'authorization-webhook-cache-authorized-ttl', '5m'),
        unauthorizedTtlMs: durationFlag(
          flags,
          'authorization-webhook-cache-unauthorized-ttl',
          '30s',
        ),
        timeoutMs: 30_000,
        failurePolicy: 'NoOpinion',
        matchConditions: [],
      },
    };
  });
}
