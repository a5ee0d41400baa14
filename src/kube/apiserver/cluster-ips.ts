// Cluster IPs of services: the first free address of the instance's range.
import type { KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { invalid } from '#kube/meta/status.ts';
import { addressAt, isInside } from './cidr.ts';
import type { Resources } from './resources.ts';

const NODE_PORT_FIRST = 30_000;
const NODE_PORT_LAST = 32_767;

export async function allocateClusterIp(
  resources: Resources,
  cidr: string,
  info: ResourceInfo,
  service: KubeObject,
): Promise<void> {
  if (info.group !== '' || info.resource !== 'services') return;
  const spec = service['spec'] as Record<string, unknown>;
  if (spec['type'] === 'ExternalName') return;
  const others = await resources.list('', 'services', undefined);
  const used = new Set(others.map((one) => one['spec']?.clusterIP));
  if (spec['clusterIP'] === undefined || spec['clusterIP'] === '') {
    let index = 2;
    let found = addressAt(cidr, index);
    while (found !== undefined && used.has(found)) found = addressAt(cidr, ++index);
    if (found !== undefined) spec['clusterIP'] = found;
  } else if (spec['clusterIP'] !== 'None') {
    const ip = String(spec['clusterIP']);
    const why = used.has(ip)
      ? 'failed to allocate IP ' + ip + ': provided IP is already allocated'
      : isInside(cidr, ip)
        ? undefined
        : `failed to allocate IP ${ip}: the provided IP (${ip}) is not in the valid range. The range of valid IPs is ${cidr}`;
    if (why !== undefined) {
      const message = `Invalid value: ${JSON.stringify([ip])}: ${why}`;
      throw invalid(info, service.metadata.name ?? '', [
        { reason: 'FieldValueInvalid', message, field: 'spec.clusterIPs' },
      ]);
    }
  }
  spec['clusterIPs'] = [spec['clusterIP']];
  spec['ipFamilies'] ??= ['IPv4'];
  spec['ipFamilyPolicy'] ??= 'SingleStack';
  allocateNodePorts(spec, others);
}

function allocateNodePorts(spec: Record<string, unknown>, others: readonly KubeObject[]): void {
  if (spec['type'] !== 'NodePort' && spec['type'] !== 'LoadBalancer') return;
  const used = new Set(
    others.flatMap((one) =>
      ((one['spec']?.ports ?? []) as { nodePort?: number }[]).map(({ nodePort }) => nodePort),
    ),
  );
  for (const port of (spec['ports'] ?? []) as { nodePort?: number }[]) {
    if (port.nodePort !== undefined) continue;
    let candidate = NODE_PORT_FIRST;
    while (used.has(candidate) && candidate < NODE_PORT_LAST) candidate += 1;
    port.nodePort = candidate;
    used.add(candidate);
  }
}
