// PodResizeValidator: a pod on a node grows only to what the node has, and only on Linux.
import { compareQuantities, parseQuantity } from '#kube/meta/quantity.ts';
import { podResources } from '#kube/meta/pod-resources.ts';
import { ApiError } from '#kube/meta/status.ts';
import { forbiddenBy, isOf, type AdmissionPlugin, type AdmissionRequest } from './request.ts';

const NANO = 1_000_000_000n;

/** Rounded up, as `Value()` and `MilliValue()` of upstream's quantities. */
function units(amount: string, nanoPerUnit: bigint): bigint {
  const nano = parseQuantity(amount)?.nano ?? 0n;
  return (nano + nanoPerUnit - 1n) / nanoPerUnit;
}

function refused(request: AdmissionRequest, why: string, reason: string): ApiError {
  const { code, reason: kind, message, details } = forbiddenBy(request, why);
  return new ApiError(code, kind, message, { ...details, causes: [{ reason }] });
}

export const podResize: AdmissionPlugin = {
  name: 'PodResizeValidator',
  async validate(request, { lookup }) {
    const { operation, object, old, subresource } = request;
    if (operation !== 'UPDATE' || subresource !== 'resize' || !isOf(request, '', 'pods')) return;
    const spec = (object?.['spec'] ?? {}) as Record<string, unknown>;
    const name = String(spec['nodeName'] ?? '');
    if (name === '' || object?.metadata.generation === old?.metadata.generation) return;
    const node = await lookup.get('', 'nodes', undefined, name);
    if (node === undefined) throw forbiddenBy(request, `node ${JSON.stringify(name)} not found`);
    const system = node.metadata.labels?.['kubernetes.io/os'] ?? 'linux';
    if (system !== 'linux') {
      const why = `pod resize is only supported on linux nodes, node ${JSON.stringify(name)} is ${JSON.stringify(system)}`;
      throw refused(request, why, 'UnsupportedPlatform');
    }
    const allocatable = (node['status']?.allocatable ?? {}) as Readonly<Record<string, string>>;
    const requests = podResources(spec, 'requests');
    const missing = [['cpu', NANO / 1_000n] as const, ['memory', NANO] as const].flatMap(
      ([resource, unit]) => {
        const [wanted, there] = [requests[resource] ?? '0', allocatable[resource] ?? '0'];
        if (compareQuantities(wanted, there) <= 0) return [];
        return `${resource}, requested: ${units(wanted, unit)}, allocatable: ${units(there, unit)}`;
      },
    );
    if (missing.length === 0) return;
    const why = `node didn't have enough allocatable resources: ${missing.join('; ')}`;
    throw refused(request, why, 'NodeCapacity');
  },
};
