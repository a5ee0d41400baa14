// The agent's flags about who asks it and whom it is known by, under Mesos' names, and what they mean
// together with the files that they name.
import type { Env } from '#env/env.ts';
import { Fault } from '#base/fault.ts';
import { bool, durationMs, flag, oneOf, optional } from '#mesos/flags/flag-table.ts';
import type { Authentication } from '#mesos/security/authentication.ts';
import { authenticationOf } from '#mesos/security/authenticators.ts';
import { signToken } from '#mesos/security/bearer.ts';
import { parseCredential, readCredentials, readSecretFile } from '#mesos/security/credentials.ts';
import type { ContainerLaunch } from './types.ts';
import { EXECUTOR_REALM, READONLY_REALM, READWRITE_REALM } from './realms.ts';

export const SECURITY_KINDS = {
  authenticate_http_executors: flag('false', bool),
  authenticate_http_readonly: flag('false', bool),
  authenticate_http_readwrite: flag('false', bool),
  authenticatee: flag('crammd5', oneOf('crammd5')),
  authentication_backoff_factor: flag('1secs', durationMs),
  authentication_timeout_min: flag('5secs', durationMs),
  authentication_timeout_max: flag('1mins', durationMs),
  credential: flag('', optional),
  executor_secret_key: flag('', optional),
  http_authenticators: flag('', optional),
  http_credentials: flag('', optional),
  jwt_secret_key: flag('', optional),
} as const;

/** As they were given; files are not read yet. */
export interface SecurityFlags {
  readonly executors: boolean;
  readonly readonly: boolean;
  readonly readwrite: boolean;
  readonly httpAuthenticators: string | undefined;
  readonly httpCredentials: string | undefined;
  readonly credential: string | undefined;
  readonly jwtSecretKey: string | undefined;
  readonly times: AuthenticationTimes;
}

export interface AuthenticationTimes {
  readonly backoffMs: number;
  readonly timeoutMsMin: number;
  readonly timeoutMsMax: number;
}

/** The claims of an executor's token. */
export interface ExecutorClaims {
  readonly frameworkId: string;
  readonly executorId: string;
  readonly containerId: string;
}

export interface AgentSecurity {
  readonly authentication: Authentication;
  /** Of executors; undefined where they need none. */
  readonly tokenOf: ((claims: ExecutorClaims) => Promise<string>) | undefined;
  /** By which masters know this agent. */
  readonly credential: { readonly principal: string; readonly secret: string } | undefined;
  readonly times: AuthenticationTimes;
}

function badFlag(name: string, why: string): Fault {
  return new Fault({ code: 'bad-flag', name }, `Cannot start: flag "${name}": ${why}`);
}

/** Realm -> names of authenticators, for the realms that are not open. */
function realmsOf(flags: SecurityFlags): Map<string, string> {
  // Where executors have tokens, everybody may have one, as in Mesos.
  const names = flags.httpAuthenticators ?? (flags.executors ? 'basic,jwt' : 'basic');
  const realms = new Map<string, string>();
  if (flags.executors) realms.set(EXECUTOR_REALM, names);
  if (flags.readonly) realms.set(READONLY_REALM, names);
  if (flags.readwrite) realms.set(READWRITE_REALM, names);
  return realms;
}

function credentialOf(path: string | undefined, env: Env): AgentSecurity['credential'] {
  if (path === undefined) return undefined;
  const { principal, secret } = parseCredential(
    readSecretFile('credential', path, env.log).toString(),
  );
  if (secret === undefined) throw badFlag('credential', 'it has no secret');
  return { principal, secret };
}

/** Reads the files. Faults `bad-flag`, `bad-credentials`. */
export function agentSecurity(flags: SecurityFlags, env: Env): AgentSecurity {
  const { httpCredentials, jwtSecretKey, times } = flags;
  if (flags.executors && jwtSecretKey === undefined) {
    throw badFlag('jwt_secret_key', 'authenticate_http_executors=true wants it');
  }
  const jwtSecret =
    jwtSecretKey === undefined
      ? undefined
      : readSecretFile('jwt_secret_key', jwtSecretKey, env.log);
  const credentials = readCredentials('http_credentials', httpCredentials, env.log);
  const keys = { credentials, jwtSecret, now: () => env.clock.now() };
  return {
    authentication: authenticationOf(realmsOf(flags), keys),
    tokenOf:
      jwtSecret === undefined
        ? undefined
        : ({ frameworkId: fid, executorId: eid, containerId: cid }) =>
            signToken({ cid, eid, fid }, jwtSecret),
    credential: credentialOf(flags.credential, env),
    times,
  };
}

/** What a custom executor finds its token in. */
export async function tokenVariables(
  tokenOf: AgentSecurity['tokenOf'],
  { key, containerId }: Pick<ContainerLaunch, 'key' | 'containerId'>,
): Promise<Record<string, string>> {
  if (tokenOf === undefined) return {};
  return { MESOS_EXECUTOR_AUTHENTICATION_TOKEN: await tokenOf({ ...key, containerId }) };
}
