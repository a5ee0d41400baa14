// What executors and tasks find in their environment and how their command lines are made.
import type { CommandInfo, Environment } from '#wire/mesos/v1.ts';

/** Of the agent's own environment, only this much is handed down. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'SHELL', 'TMPDIR', 'LOGNAME', 'USER'];
/** Without these few programs of Windows start. */
const INHERITED_WINDOWS = ['SystemRoot', 'SystemDrive', 'ComSpec', 'PATHEXT', 'TEMP', 'TMP'];
const PATH_DEFAULT = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface ExecutorPlace {
  /** `slave(1)@IP:PORT` */
  readonly upid: string;
  /** `IP:PORT` */
  readonly endpoint: string;
  /** The path of a socket that leads to the same agent. */
  readonly socket?: string | undefined;
  readonly agentId: string;
  readonly frameworkId: string;
  readonly executorId: string;
  readonly sandbox: string;
  readonly isCheckpointing: boolean;
  readonly recoveryTimeoutMs: number;
  readonly subscriptionBackoffMsMax: number;
  readonly shutdownGraceMs: number;
}

/** As stout prints a Duration: `5secs`, `15mins`, `500ms`. */
export function durationText(ms: number): string {
  const units: readonly [string, number][] = [
    ['weeks', 604_800_000],
    ['days', 86_400_000],
    ['hrs', 3_600_000],
    ['mins', 60_000],
    ['secs', 1000],
  ];
  const [name, size] = units.find(([, unit]) => ms >= unit) ?? ['ms', 1];
  return `${ms / size}${name}`;
}

export function inheritedEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform = process.platform,
): Record<string, string> {
  const isWindows = platform === 'win32';
  const kept: Record<string, string> = isWindows ? {} : { PATH: PATH_DEFAULT };
  for (const name of isWindows ? [...INHERITED, ...INHERITED_WINDOWS] : INHERITED) {
    const value = own[name];
    if (value !== undefined) kept[name] = value;
  }
  // How libprocess is to speak with this agent; they name files, and hold no key themselves.
  for (const [name, value] of Object.entries(own)) {
    if (name.startsWith('LIBPROCESS_SSL_') && value !== undefined) kept[name] = value;
  }
  return kept;
}

/** Mesos' own variables for every executor (inventory 3.6). */
export function executorEnvironment(place: ExecutorPlace): Record<string, string> {
  return {
    LIBPROCESS_PORT: '0',
    LIBPROCESS_IP: place.endpoint.slice(0, place.endpoint.lastIndexOf(':')),
    MESOS_FRAMEWORK_ID: place.frameworkId,
    MESOS_EXECUTOR_ID: place.executorId,
    MESOS_DIRECTORY: place.sandbox,
    MESOS_SANDBOX: place.sandbox,
    MESOS_SLAVE_ID: place.agentId,
    MESOS_SLAVE_PID: place.upid,
    MESOS_AGENT_ENDPOINT: place.endpoint,
    MESOS_CHECKPOINT: place.isCheckpointing ? '1' : '0',
    MESOS_HTTP_COMMAND_EXECUTOR: '0',
    ...(place.socket === undefined ? {} : { MESOS_DOMAIN_SOCKET: place.socket }),
    MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD: durationText(place.shutdownGraceMs),
    ...(place.isCheckpointing
      ? {
          MESOS_RECOVERY_TIMEOUT: durationText(place.recoveryTimeoutMs),
          MESOS_SUBSCRIPTION_BACKOFF_MAX: durationText(place.subscriptionBackoffMsMax),
        }
      : {}),
  };
}

/** Secrets by value are resolved; a reference needs a secret store, which there is none of. */
export function commandEnvironment(environment: Environment | undefined): Record<string, string> {
  const made: Record<string, string> = {};
  for (const variable of environment?.variables ?? []) {
    if (variable.type !== 'SECRET') {
      made[variable.name] = variable.value ?? '';
      continue;
    }
    const bytes = variable.secret?.value?.data;
    if (bytes === undefined) {
      throw new Error(`secret of variable "${variable.name}" cannot be resolved`);
    }
    made[variable.name] = new TextDecoder().decode(bytes);
  }
  return made;
}

/**
 * `shell`: by /bin/sh -c (Windows: cmd.exe, which reads the rest of its line as it is); otherwise the program, whose
 * first argument is its own name.
 */
export function commandLine(
  command: CommandInfo | undefined,
  platform: NodeJS.Platform = process.platform,
): readonly string[] {
  const value = command?.value;
  if (command?.shell === false) {
    if (value === undefined) throw new Error('the command has no value');
    return [value, ...(command.arguments ?? []).slice(1)];
  }
  if (value === undefined) throw new Error('the command has no value');
  if (platform === 'win32') return ['cmd.exe', '/d', '/s', '/c', `"${value}"`];
  return ['/bin/sh', '-c', value];
}
