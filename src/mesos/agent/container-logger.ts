// Mesos' module of the logger that rotates: its parameters, and those that a container's environment
// overrides (CONTAINER_LOGGER_*). Of logrotate's options those about how many files are kept are read.
import type { LogRotation, ProcessSpec } from '#env/process.ts';
import { bytes } from '#mesos/flags/flag-table.ts';
import type { Environment } from '#wire/mesos/v1.ts';

const ROTATING = 'org_apache_mesos_LogrotateContainerLogger';
const SANDBOX = 'org_apache_mesos_SandboxContainerLogger';
const BYTES_MIN = 4096;
/** Mesos', for programs that are not needed here. */
const WITHOUT_EFFECT = ['launcher_dir', 'logrotate_path', 'libprocess_num_worker_threads'];

type Parameters = Readonly<Record<string, string>>;

const STREAMS = ['stdout', 'stderr'] as const;
const DEFAULTS: Parameters = {
  max_stdout_size: '10MB',
  max_stderr_size: '10MB',
  logrotate_stdout_options: '',
  logrotate_stderr_options: '',
};

/** Options of logrotate(8), one a line. */
function keeping(options: string): Pick<LogRotation, 'filesMax' | 'compresses'> {
  let [filesMax, compresses] = [0, false];
  for (const line of options.split('\n').map((one) => one.trim())) {
    const [, count] = /^rotate\s+(\d+)$/.exec(line) ?? [];
    if (count !== undefined) filesMax = Number(count);
    else if (line === 'compress' || line === 'nocompress') compresses = line === 'compress';
    else if (line !== '' && !/^(missingok|notifempty|copytruncate|size\s.*)$/.test(line)) {
      throw new Error(`The option '${line}' of logrotate is not supported`);
    }
  }
  return { filesMax, compresses };
}

function rotationOf(parameters: Parameters): NonNullable<ProcessSpec['rotation']> {
  const [stdout, stderr] = STREAMS.map((stream): LogRotation => {
    const bytesMax = bytes(parameters[`max_${stream}_size`] ?? '');
    if (bytesMax < BYTES_MIN) {
      throw new Error(`Expected --max_${stream}_size of at least ${BYTES_MIN} bytes`);
    }
    return { bytesMax, ...keeping(parameters[`logrotate_${stream}_options`] ?? '') };
  });
  return { stdout, stderr };
}

export class ContainerLogger {
  readonly #parameters: Parameters;
  readonly #prefix: string;

  /** Throws when a parameter is not known or cannot be read. */
  constructor({ environment_variable_prefix: prefix = 'CONTAINER_LOGGER_', ...given }: Parameters) {
    const known = [...Object.keys(DEFAULTS), ...WITHOUT_EFFECT];
    const unknown = Object.keys(given).find((name) => !known.includes(name));
    if (unknown !== undefined) throw new Error(`parameter "${unknown}" is not known`);
    this.#prefix = prefix;
    this.#parameters = { ...DEFAULTS, ...given };
    rotationOf(this.#parameters);
  }

  /** Throws with the words for the last update of a container whose wishes cannot be met. */
  rotation(environment: Environment | undefined): NonNullable<ProcessSpec['rotation']> {
    const asked = (environment?.variables ?? [])
      .filter((one) => one.name.startsWith(this.#prefix))
      .map((one) => [one.name.slice(this.#prefix.length).toLowerCase(), one.value ?? ''] as const)
      .filter(([name]) => Object.hasOwn(DEFAULTS, name));
    return rotationOf({ ...this.#parameters, ...Object.fromEntries(asked) });
  }
}

/** Undefined for the one that leaves files to grow, which is Mesos' default. */
export function containerLogger(
  name: string | undefined,
  modules: Readonly<Record<string, Parameters>>,
): ContainerLogger | undefined {
  if (name === undefined || name === SANDBOX) return undefined;
  if (name !== ROTATING) throw new Error(`there is no container logger "${name}"`);
  return new ContainerLogger(modules[name] ?? {});
}
