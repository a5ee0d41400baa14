// What the kernel is told of a container's resources: shares, quotas and bounds of its cgroups.
import type { ProcessLimits } from '#env/process.ts';
import type { Resource, TaskInfo, Value_Scalar } from '#wire/mesos/v1.ts';
import { type AllowedDevice, DEVICES_OF_ALL } from './devices.ts';
import type { AgentFlags } from './flags.ts';
import { ALL_CGROUPS, moreControllers } from './isolators.ts';

const MB = 1024 * 1024;
const MEMORY_BYTES_MIN = 32 * MB;
/** Revocable cpus weigh 10 shares each instead of 1024. */
const LENT_PART = 1 - 10 / 1024;

export function quantity(resources: readonly Resource[], name: string): number {
  return resources
    .filter((one) => one.name === name)
    .reduce((sum, one) => sum + (one.scalar?.value ?? 0), 0);
}

type LimitFlags = Pick<
  AgentFlags,
  | 'isolators'
  | 'enablesCfs'
  | 'pidsMax'
  | 'allowedDevices'
  | 'gpuDevices'
  | 'limitsSwap'
  | 'lowersRevocableCpus'
>;

export class ContainerLimits {
  readonly #flags: LimitFlags;
  readonly #devices: readonly string[] | undefined;
  readonly #controllers: readonly string[];

  constructor(flags: LimitFlags) {
    this.#flags = flags;
    const { isolators, allowedDevices } = flags;
    const rules = [...DEVICES_OF_ALL, ...allowedDevices.map((one) => one.rule)];
    const hasGpus = flags.gpuDevices.length > 0;
    const isBound = hasGpus || isolators.has('cgroups/devices') || isolators.has(ALL_CGROUPS);
    this.#devices = isBound ? rules : undefined;
    this.#controllers = moreControllers(isolators);
  }

  /**
   * Of a custom executor and its tasks. Without cgroups/mem its memory has no bound, as in Mesos: few
   * executors are launched with as much as they need themselves.
   */
  ofExecutor(
    resources: readonly Resource[],
    limits: Readonly<Record<string, Value_Scalar>>,
  ): ProcessLimits {
    const { memoryBytesMax, ...others } = this.of(resources, limits);
    const { isolators } = this.#flags;
    const isBound = [ALL_CGROUPS, 'cgroups/mem'].some((one) => isolators.has(one));
    return isBound ? { ...others, memoryBytesMax } : others;
  }

  /** The same, and some devices more. */
  with(limits: ProcessLimits, devices: readonly AllowedDevice[]): ProcessLimits {
    if (devices.length === 0 || limits.devices === undefined) return limits;
    return { ...limits, devices: [...limits.devices, ...devices.map((one) => one.rule)] };
  }

  ofTask(task: TaskInfo): ProcessLimits {
    return this.of(task.resources ?? [], task.limits ?? {});
  }

  of(
    resources: readonly Resource[],
    limits: Readonly<Record<string, Value_Scalar>>,
  ): ProcessLimits {
    const { enablesCfs, pidsMax, limitsSwap, lowersRevocableCpus } = this.#flags;
    const cpus = quantity(resources, 'cpus');
    const lent = quantity(
      resources.filter((one) => one.revocable !== undefined),
      'cpus',
    );
    const cpusMax = limits['cpus']?.value ?? (enablesCfs ? cpus : Infinity);
    const requestMb = quantity(resources, 'mem');
    const memMb = limits['mem']?.value ?? requestMb;
    const hasMemory = Number.isFinite(memMb) && memMb > 0;
    return {
      ...(cpus > 0 ? { cpus: lowersRevocableCpus ? cpus - lent * LENT_PART : cpus } : {}),
      ...(Number.isFinite(cpusMax) && cpusMax > 0 ? { cpusMax } : {}),
      ...(hasMemory ? { memoryBytesMax: Math.max(MEMORY_BYTES_MIN, memMb * MB) } : {}),
      ...(requestMb > 0 ? { memoryBytesLow: Math.max(MEMORY_BYTES_MIN, requestMb * MB) } : {}),
      ...(limitsSwap ? { limitsSwap } : {}),
      ...(this.#devices === undefined ? {} : { devices: this.#devices }),
      ...(this.#controllers.length === 0 ? {} : { controllers: this.#controllers }),
      pidsMax,
    };
  }
}
