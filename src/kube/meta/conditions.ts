// Conditions of a status, as lists are kept: one per type, its time moves when its status does.

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly lastTransitionTime?: string | undefined;
  readonly lastUpdateTime?: string | undefined;
  readonly lastProbeTime?: string | null | undefined;
  readonly observedGeneration?: number | undefined;
}

export function conditionsOf(object: { readonly [field: string]: unknown }): readonly Condition[] {
  const status = object['status'] as { conditions?: Condition[] } | undefined;
  return status?.conditions ?? [];
}

export function findCondition(
  conditions: readonly Condition[],
  type: string,
): Condition | undefined {
  return conditions.find((one) => one.type === type);
}

/** With the condition set; unchanged when status, reason and message are what they were. */
export function withCondition(
  conditions: readonly Condition[],
  next: Omit<Condition, 'lastTransitionTime'>,
  now: string,
): readonly Condition[] {
  const old = findCondition(conditions, next.type);
  const isKept = old?.status === next.status;
  if (isKept && old.reason === next.reason && old.message === next.message) return conditions;
  const lastTransitionTime = isKept ? (old.lastTransitionTime ?? now) : now;
  const set: Condition = { ...next, lastTransitionTime };
  if (old === undefined) return [...conditions, set];
  return conditions.map((one) => (one === old ? set : one));
}

export function withoutCondition(
  conditions: readonly Condition[],
  type: string,
): readonly Condition[] {
  return conditions.some((one) => one.type === type)
    ? conditions.filter((one) => one.type !== type)
    : conditions;
}

export function timestamp(now: number): string {
  return `${new Date(now).toISOString().slice(0, 19)}Z`;
}
