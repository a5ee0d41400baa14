// Decides for how long nodes may use a secret or configuration before they ask again: the more nodes there
// are, the longer (upstream's controller `ttl`). Pure.
import { nodes } from '#kube/client/resources.ts';
import { nothing, type Decision } from '#kube/controllers/effects.ts';
import type { KubeObject } from '#kube/meta/object.ts';

export const TTL = 'node.alpha.kubernetes.io/ttl';

interface Step {
  readonly least: number;
  readonly most: number;
  readonly ttlSeconds: number;
}

/** They overlap, so that a node more or less does not change all the others to and fro. */
const steps: readonly Step[] = [
  { least: 0, most: 100, ttlSeconds: 0 },
  { least: 90, most: 500, ttlSeconds: 15 },
  { least: 450, most: 1_000, ttlSeconds: 30 },
  { least: 900, most: 2_000, ttlSeconds: 60 },
  { least: 1_800, most: Infinity, ttlSeconds: 300 },
];

/** The place among the steps for this many nodes, from the place where they were before. */
export function stepFor(count: number, before: number): number {
  let step = before;
  while (count > (steps[step]?.most ?? Infinity)) step += 1;
  while (count < (steps[step]?.least ?? 0)) step -= 1;
  return step;
}

export function reconcileTtl(node: KubeObject, step: number): Decision {
  const ttl = String(steps[step]?.ttlSeconds);
  const told = node.metadata.annotations?.[TTL];
  // Another spelling of the same number is as good.
  if (told !== undefined && /^[+-]?\d+$/.test(told) && Number(told) === Number(ttl)) return nothing;
  const patch = { metadata: { annotations: { [TTL]: ttl } } };
  return { effects: [{ kind: 'patch', resource: nodes, object: node, type: 'strategic', patch }] };
}
