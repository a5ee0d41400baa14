// Small decisions on what calls of frameworks carry: for how long an offer is refused, what is asked
// for, which fields of a framework may never change (inventory 2.5, 2.11).
import { same } from '#base/same.ts';
import type { Wish } from '#mesos/allocator/allocator-core.ts';
import type { FrameworkInfo, SchedulerCall } from '#wire/mesos/v1.ts';

const REFUSE_SECONDS_DEFAULT = 5;
const REFUSE_SECONDS_MAX = 31_536_000;

/** Missing, negative or not a number: five seconds; longer than a year: a year (Mesos 1.11). */
export function refuseMs(filters: { refuse_seconds?: number | undefined } | undefined): number {
  const seconds = filters?.refuse_seconds ?? REFUSE_SECONDS_DEFAULT;
  if (!(seconds >= 0)) return REFUSE_SECONDS_DEFAULT * 1_000;
  return Math.min(seconds, REFUSE_SECONDS_MAX) * 1_000;
}

/** What of a framework can never change, when it would. */
export function changedForGood(from: FrameworkInfo, to: FrameworkInfo): string | undefined {
  if (from.principal !== to.principal) return "Changing framework's principal is not allowed.";
  const cannot = (field: string, old: unknown, now: unknown): string =>
    `Updating 'FrameworkInfo.${field}' is unsupported; attempted to update from '${String(old)}' to '${String(now)}'`;
  if (from.user !== to.user) return cannot('user', from.user, to.user);
  const [old, now] = [from.checkpoint ?? false, to.checkpoint ?? false];
  return old === now ? undefined : cannot('checkpoint', old, now);
}

/** What is not given is at its default; roles and capabilities have no order. */
function plain(info: FrameworkInfo): object {
  const { roles = [], capabilities = [], role, ...rest } = info;
  const types = capabilities.map(({ type }) => String(type));
  const all = {
    ...rest,
    role: role === '*' ? undefined : role,
    roles: roles.toSorted(),
    capabilities: types.toSorted(),
  };
  const isDefault = (value: unknown): boolean => value === false || value === 0 || value === '';
  return Object.fromEntries(Object.entries(all).filter(([, value]) => !isDefault(value)));
}

/** Nobody has to be told of the one who knows the other. */
export function isEquivalent(a: FrameworkInfo, b: FrameworkInfo): boolean {
  return same(plain(a), plain(b));
}

/** Each request is one right-sized thing to be offered; stock Mesos takes no notice of them. */
export function wishesOf(call: SchedulerCall): Wish[] {
  return (call.request?.requests ?? []).map(({ agent_id, resources }) => ({
    agentId: agent_id?.value,
    resources: resources ?? [],
  }));
}
