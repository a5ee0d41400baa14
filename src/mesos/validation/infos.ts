// Commands, containers and checks of tasks and executors: what is wrong with them, in the words of
// Mesos 1.11 (inventory 2.7).
import type { CheckInfo, CommandInfo, ContainerInfo, HealthCheck, Volume } from '#wire/mesos/v1.ts';

function validateVariable({
  name,
  type = 'VALUE',
  value,
  secret,
}: NonNullable<NonNullable<CommandInfo['environment']>['variables']>[number]): string | undefined {
  const what = `Environment variable '${name}' of type '${type}'`;
  if (type === 'SECRET') {
    if (secret === undefined) return `${what} must have a secret set`;
    if (value !== undefined) return `${what} must not have a value set`;
    const data = secret.value?.data;
    return data !== undefined && data.includes(0)
      ? `${what} specifies a secret containing null bytes, which is not allowed in the environment`
      : undefined;
  }
  if (type !== 'VALUE') return `Environment variable of type '${type}' is not allowed`;
  if (value === undefined) return `${what} must have a value set`;
  return secret === undefined ? undefined : `${what} must not have a secret set`;
}

export function validateCommand(command: CommandInfo | undefined): string | undefined {
  for (const variable of command?.environment?.variables ?? []) {
    const wrong = validateVariable(variable);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

/** Source type -> the field that it needs. */
const volumeFields: Readonly<Record<string, keyof NonNullable<Volume['source']>>> = {
  HOST_PATH: 'host_path',
  SANDBOX_PATH: 'sandbox_path',
  DOCKER_VOLUME: 'docker_volume',
  SECRET: 'secret',
};

function validateVolume({ host_path, image, source }: Volume): string | undefined {
  const given = [host_path, image, source].filter((one) => one !== undefined);
  if (given.length !== 1) {
    return "Only one of them should be set: 'host_path', 'image' and 'source'";
  }
  if (source === undefined) return undefined;
  const { type = 'UNKNOWN' } = source;
  if (type === 'UNKNOWN') return "'source.type' is unknown";
  if (type === 'CSI_VOLUME') {
    const { csi_volume } = source;
    if (csi_volume?.static_provisioning !== undefined) return undefined;
    const lacking = csi_volume === undefined ? '' : '.static_provisioning';
    return `'source.csi_volume${lacking}' is not set for CSI volume`;
  }
  const field = volumeFields[type];
  return field === undefined || source[field] !== undefined
    ? undefined
    : `'source.${field}' is not set for ${type} volume`;
}

export function validateContainer(container: ContainerInfo | undefined): string | undefined {
  if (container === undefined) return undefined;
  if (container.type === 'DOCKER') {
    if (container.docker === undefined) {
      return "DockerInfo 'docker' is not set for DOCKER typed ContainerInfo";
    }
    if ((container.docker.parameters ?? []).some(({ key }) => key === 'name')) {
      return "Parameter in DockerInfo must not be 'name'";
    }
  }
  for (const volume of container.volumes ?? []) {
    const wrong = validateVolume(volume);
    if (wrong !== undefined) return `Invalid volume: ${wrong}`;
  }
  return undefined;
}

function firstNegative(
  check: CheckInfo | HealthCheck,
  fields: readonly (keyof (CheckInfo & HealthCheck))[],
): string | undefined {
  const all = check as Readonly<Record<string, unknown>>;
  const field = fields.find((name) => Number(all[name] ?? 0) < 0);
  return field === undefined ? undefined : `Expecting '${field}' to be non-negative`;
}

function validatePath(path: string | undefined, what: string): string | undefined {
  return path === undefined || path.startsWith('/')
    ? undefined
    : `The path '${path}' of HTTP ${what} must start with '/'`;
}

function validateShell(command: CommandInfo | undefined, what: string): string | undefined {
  if ((command?.shell ?? true) === false) {
    return command?.value === undefined
      ? `Command ${what} must contain 'executable path'`
      : undefined;
  }
  return command?.value === undefined ? `Command ${what} must contain 'shell command'` : undefined;
}

export function validateHealthCheck(check: HealthCheck | undefined): string | undefined {
  if (check === undefined) return undefined;
  // Older frameworks gave the command alone.
  const { type = check.command === undefined ? undefined : 'COMMAND' } = check;
  if (type === undefined) return "HealthCheck must specify 'type'";
  const missing = (field: string): string =>
    `Expecting '${field}' to be set for ${type} health check`;
  if (type === 'COMMAND') {
    if (check.command === undefined) return missing('command');
    const wrong =
      validateShell(check.command, 'health check') ??
      withPrefix("Health check's `CommandInfo` is invalid: ", validateCommand(check.command));
    if (wrong !== undefined) return wrong;
  } else if (type === 'HTTP') {
    if (check.http === undefined) return missing('http');
    const { scheme, path } = check.http;
    if (scheme !== undefined && scheme !== 'http' && scheme !== 'https') {
      return `Unsupported HTTP health check scheme: '${scheme}'`;
    }
    const wrong = validatePath(path, 'health check');
    if (wrong !== undefined) return wrong;
  } else if (type === 'TCP') {
    if (check.tcp === undefined) return missing('tcp');
  } else return `'${type}' is not a valid health check type`;
  return firstNegative(check, [
    'delay_seconds',
    'grace_period_seconds',
    'interval_seconds',
    'timeout_seconds',
  ]);
}

export function validateCheck(check: CheckInfo | undefined): string | undefined {
  if (check === undefined) return undefined;
  const { type } = check;
  if (type === undefined) return "CheckInfo must specify 'type'";
  const missing = (field: string): string => `Expecting '${field}' to be set for ${type} check`;
  if (type === 'COMMAND') {
    if (check.command === undefined) return missing('command');
    const { command } = check.command;
    const wrong =
      validateShell(command, 'check') ??
      withPrefix("Check's `CommandInfo` is invalid: ", validateCommand(command));
    if (wrong !== undefined) return wrong;
  } else if (type === 'HTTP') {
    if (check.http === undefined) return missing('http');
    const wrong = validatePath(check.http.path, 'check');
    if (wrong !== undefined) return wrong;
  } else if (type === 'TCP') {
    if (check.tcp === undefined) return missing('tcp');
  } else return `'${type}' is not a valid check type`;
  return firstNegative(check, ['delay_seconds', 'interval_seconds', 'timeout_seconds']);
}

export function withPrefix(prefix: string, wrong: string | undefined): string | undefined {
  return wrong === undefined ? undefined : prefix + wrong;
}
