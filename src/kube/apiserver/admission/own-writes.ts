// What admission itself writes: usage into quotas, and namespaces that are wanted but not there.
import { applyDefaults } from '#kube/meta/defaulting.ts';
import type { ResourceRegistry } from '#kube/meta/resource-info.ts';
import { ApiError } from '#kube/meta/status.ts';
import type { Resources } from '#kube/apiserver/resources.ts';
import { systemWrite } from '#kube/apiserver/system-write.ts';
import type { ChargeQuota } from './resource-quota.ts';

export function chargeQuotaBy(resources: Resources, registry: ResourceRegistry): ChargeQuota {
  return async (quota, change) => {
    const info = registry.byResource('', 'v1', 'resourcequotas');
    if (info === undefined) return;
    const { namespace, name = '' } = quota.metadata;
    const context = systemWrite(info, { namespace, subresource: 'status' });
    await resources.modify(context, name, change);
  };
}

export async function provideNamespace(
  resources: Resources,
  registry: ResourceRegistry,
  name: string,
): Promise<void> {
  const info = registry.byResource('', 'v1', 'namespaces');
  if (info === undefined) return;
  const object = { kind: 'Namespace', apiVersion: 'v1', metadata: { name } };
  applyDefaults(info, object);
  try {
    await resources.create(systemWrite(info), object);
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error;
  }
}
