// ControllerRevisions: the history of a pod template, by which an owner (DaemonSet, StatefulSet) knows
// what is new and kubectl rollout history and undo what was.
import type { KubeObject } from '#kube/meta/object.ts';
import { controllerRevisions } from '#kube/client/resources.ts';
import type { Effect } from './effects.ts';
import { same } from '#base/same.ts';
import { claim, ownerReference } from './owners.ts';
import { normalTemplate, templateHash } from './template-hash.ts';
import { labelSelectorFromObject } from '#kube/meta/selectors.ts';

/** Of pods: of a DaemonSet the hash of their revision, of a StatefulSet its name. */
export const HASH_LABEL = 'controller-revision-hash';
/** Of the revisions of a StatefulSet: their hash. Those of a DaemonSet have HASH_LABEL, too. */
export const REVISION_HASH_LABEL = 'controller.kubernetes.io/hash';

export interface RevisionInput {
  readonly owner: KubeObject;
  /** All revisions of its namespace that are its or nobody's. */
  readonly revisions: readonly KubeObject[];
  /** Which label of a revision has its hash. */
  readonly hashLabel: string;
  /** Whether pods still are of it: it is kept. */
  readonly isInUse: (revision: KubeObject) => boolean;
  readonly collisionCount: number | undefined;
}

export interface RevisionPlan {
  readonly current: KubeObject;
  readonly hash: string;
  /** Its own, oldest first, without what was merged away. */
  readonly history: readonly KubeObject[];
  readonly effects: readonly Effect[];
}

/** What a revision remembers: a patch that replaces the template. */
function dataOf(owner: KubeObject): unknown {
  return { spec: { template: { ...normalTemplate(owner['spec'].template), $patch: 'replace' } } };
}

function numberOf(revision: KubeObject): number {
  return Number(revision['revision'] ?? 0);
}

export function planRevisions(input: RevisionInput): RevisionPlan {
  const { owner, revisions, hashLabel } = input;
  const claimed = claim({
    owner,
    selector: labelSelectorFromObject(owner['spec'].selector) ?? [],
    resource: controllerRevisions,
    candidates: revisions,
  });
  const effects: Effect[] = [...claimed.effects];
  const mine = claimed.mine.toSorted((a, b) => numberOf(a) - numberOf(b));
  const highest = numberOf(mine.at(-1) ?? owner);
  const data = dataOf(owner);
  const equal = mine.filter((one) => same(one['data'], data));
  let current = equal.at(-1);
  if (current === undefined) {
    current = newRevision(input, data, highest + 1);
    effects.push({
      kind: 'create',
      resource: controllerRevisions,
      object: current,
      mayExist: true,
    });
  } else if (numberOf(current) < highest) {
    // Rolled back: what was there before is the newest again.
    const patch = { revision: highest + 1 };
    const object = current;
    effects.push({ kind: 'patch', resource: controllerRevisions, object, type: 'merge', patch });
    current = { ...current, ...patch };
  }
  const name = current.metadata.name;
  const hash = String(current.metadata.labels?.[hashLabel] ?? '');
  effects.push(...trimming(input, mine, name));
  const others = mine.filter((one) => one.metadata.name !== name);
  return { current, hash, history: [...others, current], effects };
}

function newRevision(
  { owner, hashLabel, collisionCount }: RevisionInput,
  data: unknown,
  revision: number,
): KubeObject {
  const hash = templateHash(data, collisionCount);
  const { name, namespace, annotations = {} } = owner.metadata;
  const { 'kubectl.kubernetes.io/last-applied-configuration': _applied, ...kept } = annotations;
  const labels = { ...owner['spec'].template.metadata?.labels, [hashLabel]: hash };
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: `${name}-${hash}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels,
      annotations: kept,
      ownerReferences: [ownerReference(owner)],
    },
    data,
    revision,
  };
}

function trimming(
  { owner, isInUse }: RevisionInput,
  mine: readonly KubeObject[],
  current: string | undefined,
): Effect[] {
  const limit = Number(owner['spec'].revisionHistoryLimit ?? 10);
  const idle = mine.filter((one) => one.metadata.name !== current && !isInUse(one));
  return idle
    .slice(0, Math.max(0, idle.length - limit))
    .map((object) => ({ kind: 'delete', resource: controllerRevisions, object }));
}
