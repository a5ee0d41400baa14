// What simulated tasks are made of: the little language of their commands, and whose they are.
import type { ExecutorInfo, TaskInfo } from '#wire/mesos/v1.ts';

/** A task's command (or its data) is `run MS CODE`: it lives so long and exits with that; `stubborn` ignores SIGTERM. */
export interface TaskProgram {
  readonly runsMs: number;
  readonly code: number;
  readonly isStubborn: boolean;
}

/** Pods have it in their names: `pod-NUMBER-MS-CODE`. */
export function programOf(task: TaskInfo): TaskProgram {
  const pod = task.labels?.labels?.find(({ key }) => key === 'kubernetes.io/name')?.value;
  if (pod !== undefined) {
    const [, , runs = '0', end = '0'] = pod.split('-');
    return { runsMs: Number(runs), code: Number(end), isStubborn: false };
  }
  const text = task.command?.value ?? new TextDecoder().decode(task.data);
  const [, ms = '0', code = '0', how] = text.split(' ');
  return { runsMs: Number(ms), code: Number(code), isStubborn: how === 'stubborn' };
}

/** Tasks of the simulated frameworks name their framework, as `FRAMEWORK/TASK`, in a label. */
export function frameworkOf(task: TaskInfo): string {
  return task.labels?.labels?.find((one) => one.key === 'framework')?.value ?? '';
}

/** What an executor's command says that it is. */
export const DRIVER_COMMAND = 'executor on a driver';

/** It speaks the protocol of before the v1 API. */
export function isOnDriver({ command }: ExecutorInfo): boolean {
  return command?.value === DRIVER_COMMAND;
}
