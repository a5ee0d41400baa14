// How much an executor's container may use when some of its tasks may use more than they asked for, as Mesos 1.11
// adds it up: what the executor asked for, each task's limit, and what tasks without one asked for.
import type { Resource, Value_Scalar } from '#wire/mesos/v1.ts';
import { quantity } from './container-limits.ts';

export type Limits = Readonly<Record<string, Value_Scalar>>;

interface Limited {
  readonly resources?: readonly Resource[] | undefined;
  readonly limits?: Limits | undefined;
}

/** Without a name that no task has a limit for. */
export function boundsOf(executor: readonly Resource[], tasks: readonly Limited[]): Limits {
  const bounds: Record<string, Value_Scalar> = {};
  for (const name of ['cpus', 'mem']) {
    if (!tasks.some(({ limits }) => limits?.[name] !== undefined)) continue;
    const most = tasks.map(
      ({ limits, resources = [] }) => limits?.[name]?.value ?? quantity(resources, name),
    );
    bounds[name] = { value: most.reduce((sum, one) => sum + one, quantity(executor, name)) };
  }
  return bounds;
}
