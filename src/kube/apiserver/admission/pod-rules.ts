// Plugins that are off unless --enable-admission-plugins names them, for pods and services: images that are
// always pulled, anti-affinity by host only, tolerations of extended resources, no external addresses.
import { unsupported } from '#kube/meta/names.ts';
import { ApiError } from '#kube/meta/status.ts';
import { forbiddenBy, isOf, isPod, type AdmissionPlugin, type Json } from './request.ts';

type Named = Readonly<Record<string, unknown>>;

const isWrite = (operation: string): boolean => operation === 'CREATE' || operation === 'UPDATE';

const kinds = ['initContainers', 'containers', 'ephemeralContainers'] as const;

/** Each with its path. */
function containersOf(spec: Json): { readonly path: string; readonly container: Json }[] {
  return kinds.flatMap((field) =>
    ((spec[field] ?? []) as Json[]).map((container, i) => ({
      path: `spec.${field}[${i}]`,
      container,
    })),
  );
}

function imageVolumes(spec: Json): { readonly path: string; readonly image: Json }[] {
  return ((spec['volumes'] ?? []) as Json[]).flatMap(({ image }, i) =>
    image === undefined ? [] : [{ path: `spec.volumes[${i}].image`, image: image as Json }],
  );
}

const pullRequest = (request: Parameters<typeof isPod>[0]): Json | undefined => {
  const { operation, object, old } = request;
  if (!isPod(request) || !isWrite(operation) || object === undefined) return undefined;
  const spec = object['spec'] as Json;
  if (operation === 'CREATE') return spec;
  const before = new Set(
    containersOf((old?.['spec'] ?? {}) as Json).map(({ container }) => container['image']),
  );
  const isNew = containersOf(spec).some(({ container }) => !before.has(container['image']));
  return isNew ? spec : undefined;
};

export const alwaysPullImages: AdmissionPlugin = {
  name: 'AlwaysPullImages',
  mutate(request) {
    const spec = pullRequest(request);
    if (spec === undefined) return;
    for (const { container } of containersOf(spec)) container['imagePullPolicy'] = 'Always';
    for (const { image } of imageVolumes(spec)) image['pullPolicy'] = 'Always';
  },
  validate(request) {
    const spec = pullRequest(request);
    if (spec === undefined) return;
    const found = [
      ...containersOf(spec).map(({ path, container }) => ({
        field: `${path}.imagePullPolicy`,
        value: container['imagePullPolicy'],
      })),
      ...imageVolumes(spec).map(({ path, image }) => ({
        field: `${path}.pullPolicy`,
        value: image['pullPolicy'],
      })),
    ].filter(({ value }) => value !== 'Always');
    const words = found.map(({ field, value }) => {
      const { message } = unsupported(field, value ?? '', ['Always']);
      return forbiddenBy(request, `${field}: ${message}`).message;
    });
    if (words.length > 1) throw new ApiError(500, '', `[${words.join(', ')}]`);
    if (words.length === 1) throw new ApiError(500, '', words[0] ?? '');
  },
};

const HOSTNAME = 'kubernetes.io/hostname';

export const limitHardAntiAffinity: AdmissionPlugin = {
  name: 'LimitPodHardAntiAffinityTopology',
  validate(request) {
    const { operation, object } = request;
    if (!isPod(request) || !isWrite(operation) || object === undefined) return;
    const anti = object['spec']?.affinity?.podAntiAffinity as Json | undefined;
    const terms = (anti?.['requiredDuringSchedulingIgnoredDuringExecution'] ?? []) as Named[];
    const other = terms.find(({ topologyKey }) => topologyKey !== HOSTNAME);
    if (other === undefined) return;
    throw forbiddenBy(
      request,
      `affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey ${String(other['topologyKey'])} but only key ${HOSTNAME} is allowed`,
    );
  },
};

const QUALIFIED =
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

/** Not of kubernetes.io, nor of a quota. */
function isExtended(name: string): boolean {
  const isNative = !name.includes('/') || name.includes('kubernetes.io/');
  return !isNative && !name.startsWith('requests.') && QUALIFIED.test(name);
}

export const extendedResourceToleration: AdmissionPlugin = {
  name: 'ExtendedResourceToleration',
  mutate(request) {
    const { operation, object } = request;
    if (!isPod(request) || !isWrite(operation) || object === undefined) return;
    const spec = object['spec'] as Json;
    const names = ['containers', 'initContainers'].flatMap((field) =>
      ((spec[field] ?? []) as Json[]).flatMap((container) =>
        Object.keys(((container['resources'] as Json | undefined)?.['requests'] ?? {}) as Json),
      ),
    );
    const tolerations = [...((spec['tolerations'] ?? []) as Named[])];
    for (const key of [...new Set(names.filter(isExtended))].sort()) {
      const own = { key, operator: 'Exists', effect: 'NoSchedule' };
      const at = tolerations.findIndex(
        (one) =>
          one['key'] === key &&
          one['operator'] === own.operator &&
          one['effect'] === own.effect &&
          (one['value'] ?? '') === '',
      );
      if (at < 0) tolerations.push(own);
      else tolerations[at] = own;
    }
    if (tolerations.length > 0) spec['tolerations'] = tolerations;
  },
};

export const denyExternalIPs: AdmissionPlugin = {
  name: 'DenyServiceExternalIPs',
  validate(request) {
    const { operation, object, old, subresource } = request;
    if (!isOf(request, '', 'services') || subresource !== undefined || !isWrite(operation)) return;
    const addressesOf = (one: typeof object): string[] => one?.['spec']?.externalIPs ?? [];
    const before = addressesOf(old);
    if (addressesOf(object).every((one) => before.includes(one))) return;
    throw forbiddenBy(request, 'Use of external IPs is denied by admission control');
  },
};
