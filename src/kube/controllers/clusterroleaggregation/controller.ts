// Roles that are made of others: their rules are those of all roles that they select.
import { keyOf } from '#kube/client/informer-store.ts';
import { clusterRoles } from '#kube/client/resources.ts';
import { nothing, type Decision } from '#kube/controllers/effects.ts';
import { same } from '#base/same.ts';
import { Controller, followOwn, type ControllerServices } from '#kube/controllers/frame.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { labelSelectorFromObject, matchesLabels } from '#kube/meta/selectors.ts';

/** Of the rules, whoever wrote them before; as upstream. */
const MANAGER = 'clusterrole-aggregation-controller';

interface AggregationRule {
  readonly clusterRoleSelectors?: readonly Parameters<typeof labelSelectorFromObject>[0][];
}

export function aggregate(role: KubeObject, roles: readonly KubeObject[]): Decision {
  const rule = role['aggregationRule'] as AggregationRule | undefined | null;
  if (rule === undefined || rule === null) return nothing;
  const rules: unknown[] = [];
  for (const selector of rule.clusterRoleSelectors ?? []) {
    const requirements = labelSelectorFromObject(selector) ?? [];
    const chosen = roles
      .filter((one) => matchesLabels(requirements, one.metadata.labels))
      .filter((one) => one.metadata.name !== role.metadata.name)
      .toSorted((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
    for (const one of chosen.flatMap(({ rules: own }) => (own ?? []) as unknown[])) {
      if (!rules.some((known) => same(known, one))) rules.push(one);
    }
  }
  if (same(role['rules'] ?? [], rules)) return nothing;
  const of = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' };
  const patch = { ...of, metadata: { name: role.metadata.name }, rules };
  const how = { type: 'apply', fieldManager: MANAGER } as const;
  return { effects: [{ kind: 'patch', resource: clusterRoles, object: role, ...how, patch }] };
}

export function clusterRoleAggregationController(services: ControllerServices): Controller {
  const all = services.informers.informer(clusterRoles);
  const controller = new Controller(
    {
      name: 'clusterroleaggregation',
      component: MANAGER,
      needs: [all],
      keys: () => all.list().map(keyOf),
      reconcile: (name) => {
        const role = all.get(name);
        return role === undefined ? nothing : aggregate(role, all.list());
      },
    },
    services,
  );
  followOwn(all, controller);
  const enqueueAggregated = (): void => {
    for (const role of all.list()) {
      if (role['aggregationRule']) controller.enqueue(keyOf(role));
    }
  };
  all.addHandler({
    onAdd: enqueueAggregated,
    onUpdate: enqueueAggregated,
    onDelete: enqueueAggregated,
  });
  return controller;
}
