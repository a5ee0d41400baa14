// The substrate's tasks for a pod: one for each attempt to launch it. The first has the pod's uid for its id,
// so that a pod is found by its task and a task by its pod; the n-th is `<uid>.<n>`.

/** On a pod, from the second attempt on: the number of the last one, written before it is launched. */
export const ATTEMPT_ANNOTATION = 'strata/attempt';

const later = /^(.+)\.([1-9]\d{0,8})$/;

/** `attempt`: from 1. */
export function taskIdOf(uid: string, attempt: number): string {
  return attempt <= 1 ? uid : `${uid}.${attempt}`;
}

export function podOfTask(taskId: string): { readonly uid: string; readonly attempt: number } {
  const [, uid = taskId, number = '1'] = later.exec(taskId) ?? [];
  return { uid, attempt: Number(number) };
}

/** Undefined: nothing is noted on the pod; if it was launched at all, then once. */
export function notedAttempt(
  annotations: Readonly<Record<string, string>> | undefined,
): number | undefined {
  const text = annotations?.[ATTEMPT_ANNOTATION];
  return text !== undefined && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined;
}
