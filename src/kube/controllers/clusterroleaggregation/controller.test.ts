// Rules of a role that selects others: theirs in the order of their names, each once, its own not among them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#kube/meta/object.ts';
import { aggregate } from './controller.ts';

function role(name: string, labels: Record<string, string>, ...verbs: string[]): KubeObject {
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  const rules = verbs.map((verb) => ({ apiGroups: [''], resources: ['pods'], verbs: [verb] }));
  return { apiVersion, kind: 'ClusterRole', metadata: { name, labels }, rules };
}

const selector = { matchLabels: { to: 'all' } };
const whole: KubeObject = {
  ...role('whole', { to: 'all' }, 'watch'),
  aggregationRule: { clusterRoleSelectors: [selector] },
};
const parts = [role('b', { to: 'all' }, 'get', 'list'), role('a', { to: 'all' }, 'list')];

test('aggregated rules are applied, by force, without what is there already', () => {
  const { effects } = aggregate(whole, [whole, ...parts, role('other', {}, 'delete')]);
  const [effect] = effects;
  assert.equal(effects.length, 1);
  assert.ok(effect?.kind === 'patch');
  assert.equal(effect.type, 'apply');
  assert.equal(effect.fieldManager, 'clusterrole-aggregation-controller');
  const { rules } = effect.patch as { rules: { verbs: string[] }[] };
  assert.deepEqual(
    rules.flatMap(({ verbs }) => verbs),
    ['list', 'get'],
  );
  const { effects: again } = aggregate({ ...whole, rules }, [whole, ...parts]);
  assert.deepEqual(again, []);
});

test('roles that select nothing are left alone', () => {
  assert.deepEqual(aggregate(role('plain', {}, 'get'), parts).effects, []);
});
