// The flags of the master that change something here, under Mesos' names and with its defaults, and what
// they mean. A name that is not known and a value that cannot be read are faults with code `bad-flag`.
import { Fault } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import {
  bool,
  durationMs,
  flag,
  FlagTable,
  oneOf,
  optional,
  valueOrFile,
} from '#mesos/flags/flag-table.ts';
import { advertisedKinds, idleFlags, shownLog } from '#mesos/flags/idle-flags.ts';
import { noHooks, noModules, noModulesIn } from '#mesos/flags/modules.ts';
import { acls } from '#mesos/security/acls.ts';
import { Authorizer } from '#mesos/security/authorizer.ts';
import type { Authentication } from '#mesos/security/authentication.ts';
import { authenticationOf } from '#mesos/security/authenticators.ts';
import { disabledEndpoints, type DisabledEndpoints } from '#mesos/security/firewall.ts';
import { readCredentials, readSecretFile } from '#mesos/security/credentials.ts';
import { parseJson } from '#wire/mesos/codec.ts';
import type { RateLimits } from '#wire/mesos/v1.ts';
import type { GateOptions } from './message-gate.ts';
import { idleReasons, isOldName, isOption, otherKinds, withNewNames } from './other-flags.ts';
import { rateLimitsProblem } from './rate-limits.ts';
import { absolutePath } from './routes.ts';
import { settingKinds, settingsFrom, type MasterSettings } from './setting-flags.ts';
import { READONLY_REALM, READWRITE_REALM, SCHEDULER_REALM } from './realms.ts';

function rateLimits(text: string): RateLimits | undefined {
  if (text === '') return undefined;
  const config = parseJson('RateLimits', valueOrFile(text));
  const problem = rateLimitsProblem(config);
  if (problem !== undefined) throw new Error(problem);
  return config;
}

const KINDS = {
  acls: flag('', acls),
  authenticate_agents: flag('false', bool),
  authenticate_frameworks: flag('false', bool),
  authenticate_http_frameworks: flag('false', bool),
  authenticate_http_readonly: flag('false', bool),
  authenticate_http_readwrite: flag('false', bool),
  authentication_v0_timeout: flag('15secs', durationMs),
  authenticators: flag('crammd5', oneOf('crammd5')),
  authorizers: flag('local', oneOf('local')),
  credentials: flag('', optional),
  firewall_rules: flag('', disabledEndpoints(absolutePath)),
  hooks: flag('', noHooks),
  http_authenticators: flag('basic', String),
  http_framework_authenticators: flag('', optional),
  jwt_secret_key: flag('', optional),
  modules: flag('', noModules),
  modules_dir: flag('', noModulesIn),
  rate_limits: flag('', rateLimits),
  webui_dir: flag('/usr/share/mesos/webui', String),
  ...advertisedKinds,
  ...otherKinds,
  ...settingKinds,
} as const;

const TABLE = new FlagTable(KINDS);

export interface MasterFlags {
  readonly settings: MasterSettings;
  /** Shown as /master/log. */
  readonly logFile: string | undefined;
  /** Where others find it, when that is not where it listens. */
  readonly advertised: { readonly ip: string | undefined; readonly port: number | undefined };
  /** With Mesos' web UI, if it is there. */
  readonly webUiFolder: string;
  /** Of --firewall_rules: nobody is answered there. */
  readonly disabled: DisabledEndpoints;
  /** Who may do what. */
  readonly authorizer: Authorizer;
  /** Of HTTP requests. */
  readonly authentication: Authentication;
  /** Of agents and of drivers (v0). */
  readonly gate: GateOptions;
}

/** Whether it is one that the environment may give. */
export function isMasterFlag(name: string): boolean {
  return (TABLE.has(name) && !isOption(name)) || isOldName(name);
}

type Reader = ReturnType<typeof TABLE.reader>;

/** Realm -> names of authenticators, for the realms that are not open. */
function realmsOf(value: Reader): Map<string, string> {
  const realms = new Map<string, string>();
  const names = value('http_authenticators');
  if (value('authenticate_http_readonly')) realms.set(READONLY_REALM, names);
  if (value('authenticate_http_readwrite')) realms.set(READWRITE_REALM, names);
  if (!value('authenticate_http_frameworks')) return realms;
  const forFrameworks = value('http_framework_authenticators');
  if (forFrameworks === undefined) {
    const message =
      'Cannot start: Missing `--http_framework_authenticators` flag. This must be used ' +
      'in conjunction with `--authenticate_http_frameworks`';
    throw new Fault({ code: 'bad-flag', name: 'http_framework_authenticators' }, message);
  }
  return realms.set(SCHEDULER_REALM, forFrameworks);
}

/** Reads them and the files that they name. */
export function readMasterFlags(asked: Readonly<Record<string, string>>, env: Env): MasterFlags {
  const { clock, log } = env;
  const given = withNewNames(asked, (old, flag) =>
    log.warn('The name of a flag is old', { old, flag }),
  );
  const value = TABLE.reader(given);
  if (given['modules'] !== undefined && given['modules_dir'] !== undefined) {
    const message = 'Cannot start: Only one of --modules or --modules_dir should be specified';
    throw new Fault({ code: 'bad-flag', name: 'modules' }, message);
  }
  for (const name of TABLE.names) value(name);
  for (const { name, reason } of idleFlags(given, idleReasons)) {
    log.warn('A flag changes nothing here', { flag: name, reason });
  }
  const credentials = readCredentials('credentials', value('credentials'), log);
  const keyPath = value('jwt_secret_key');
  const jwtSecret =
    keyPath === undefined ? undefined : readSecretFile('jwt_secret_key', keyPath, log);
  const keys = { credentials, jwtSecret, now: () => clock.now() };
  return {
    settings: settingsFrom(given),
    logFile: shownLog('master', {
      file: value('external_log_file'),
      folder: value('log_dir'),
    }),
    advertised: { ip: value('advertise_ip'), port: value('advertise_port') },
    webUiFolder: value('webui_dir').replace(/^file:\/\//, ''),
    disabled: value('firewall_rules'),
    authorizer: new Authorizer(value('acls')),
    authentication: authenticationOf(realmsOf(value), keys),
    gate: {
      peers: {
        credentials: credentials ?? new Map(),
        wantsFrameworks: value('authenticate_frameworks'),
        wantsAgents: value('authenticate_agents'),
        timeoutMs: value('authentication_v0_timeout'),
      },
      rateLimits: value('rate_limits'),
    },
  };
}
