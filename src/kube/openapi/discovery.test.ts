// Discovery documents of the built-in groups: order, preference, and what they say of subresources.
import assert from 'node:assert/strict';
import test from 'node:test';
import { TypeRegistry } from '#kube/types/registry.ts';
import {
  aggregatedDocument,
  apiGroupDocument,
  apiResourceListDocument,
  compareVersions,
  groupsOf,
} from './discovery.ts';

const registry = new TypeRegistry();

test('groupsOf() orders groups by priority and prefers the stable version', () => {
  const groups = groupsOf(registry);
  const first = groups.slice(0, 4).map(({ group }) => group);
  assert.deepEqual(first, ['apiregistration.k8s.io', '', 'apps', 'events.k8s.io']);
  assert.deepEqual(groups.find(({ group }) => group === 'autoscaling')?.versions, ['v2', 'v1']);
});

const order = ['v2', 'v1', 'v2beta1', 'v1beta2', 'v1beta1', 'v1alpha1', 'foo'];

test('compareVersions() orders by stability, then by number', () => {
  assert.deepEqual([...order].toReversed().toSorted(compareVersions), order);
});

test('apiResourceListDocument() lists resources and subresources of a version', () => {
  const names = apiResourceListDocument(registry, 'apps', 'v1')?.resources.map(({ name }) => name);
  assert.ok(names?.includes('deployments') && names.includes('deployments/scale'));
  assert.equal(apiResourceListDocument(registry, 'apps', 'v9'), undefined);
  assert.equal(apiGroupDocument(registry, 'nothing.example'), undefined);
});

test('aggregatedDocument() names foreign kinds of subresources only', () => {
  const { items } = aggregatedDocument(registry, 'groups');
  const apps = items.find(({ metadata }) => metadata.name === 'apps');
  const deployments = apps?.versions[0]?.resources?.find(
    ({ resource }: { resource?: unknown }) => resource === 'deployments',
  ) as { responseKind?: unknown } | undefined;
  assert.deepEqual(deployments?.responseKind, { group: '', version: '', kind: 'Deployment' });
  const scale = (
    deployments as { subresources?: { subresource: string; responseKind: unknown }[] }
  ).subresources?.find(({ subresource }) => subresource === 'scale');
  assert.deepEqual(scale?.responseKind, { group: 'autoscaling', version: 'v1', kind: 'Scale' });
});
