// What of a pod its own endpoints take, and what may change there (kube-apiserver v1.37): ephemeral containers
// come and stay as they are; resources change, but not the class of service that they make.
import { same } from '#base/same.ts';
import { forbidden, invalidValue } from '#kube/meta/names.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { defaultPodLevelResources, hasPodLevelResources } from '#kube/meta/pod-level-resources.ts';
import { qosClass } from '#kube/meta/qos-class.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { validateFinalizing } from '#kube/meta/validation-objects.ts';
import { validatePodSpec } from '#kube/meta/validation-pods.ts';

type Json = Record<string, unknown>;

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const record = (value: unknown): Json => (value ?? {}) as Json;

const CONTAINER_LISTS = ['initContainers', 'containers'] as const;

function ephemeralCauses(spec: Json, before: Json): StatusCause[] {
  const field = 'spec.ephemeralContainers';
  const now = list(spec['ephemeralContainers']);
  return list(before['ephemeralContainers']).flatMap((one) => {
    const name = JSON.stringify(one['name']);
    const found = now.find((other) => other['name'] === one['name']);
    if (found === undefined) {
      return [forbidden(field, `existing ephemeral containers ${name} may not be removed\n`)];
    }
    if (same(found, one)) return [];
    const why = `existing ephemeral containers ${name} may not be changed`;
    return [forbidden(field, why)];
  });
}

/** Resources as they would be if processors and memory had stayed. */
function withoutSizes(resources: unknown, old: unknown): Json {
  const amounts = (which: 'requests' | 'limits'): Json => {
    const { cpu: _c, memory: _m, ...rest } = record(record(resources)[which]);
    const { cpu, memory } = record(record(old)[which]);
    return {
      ...rest,
      ...(cpu === undefined ? {} : { cpu }),
      ...(memory === undefined ? {} : { memory }),
    };
  };
  const { claims } = record(resources);
  return { limits: amounts('limits'), requests: amounts('requests'), claims };
}

const filled = (resources: unknown): Json => ({
  limits: record(record(resources)['limits']),
  requests: record(record(resources)['requests']),
  claims: record(resources)['claims'],
});

function removedCauses(resources: unknown, old: unknown, at: string, what: string): StatusCause[] {
  return (['requests', 'limits'] as const).flatMap((which) => {
    const [now, before] = [record(record(resources)[which]), record(record(old)[which])];
    const isLess = Object.keys(before).some((name) => now[name] === undefined);
    return isLess ? [forbidden(`${at}.${which}`, `${what} ${which} cannot be removed`)] : [];
  });
}

function wholeCauses(spec: Json, before: Json): StatusCause[] {
  if (!hasPodLevelResources(spec) && !hasPodLevelResources(before)) return [];
  const [now, old] = [spec['resources'], before['resources']];
  if (old !== undefined && now === undefined) {
    return [forbidden('spec.resources', 'pod-level resources cannot be removed')];
  }
  const causes = removedCauses(now, old, 'spec.resources', 'pod-level resource');
  if (!same(withoutSizes(now, old), filled(old))) {
    causes.push(forbidden('spec', 'only cpu and memory resources are mutable at pod-level'));
  }
  return causes;
}

function orderCauses(spec: Json, before: Json): StatusCause[] {
  return (['containers', 'initContainers'] as const).flatMap((field) => {
    const [now, old] = [list(spec[field]), list(before[field])];
    if (now.length !== old.length) {
      return [forbidden(`spec.${field}`, `${field} may not be added or removed on resize`)];
    }
    const why = `${field} may not be renamed or reordered on resize`;
    return old.flatMap(({ name }, i) =>
      now[i]?.['name'] === name ? [] : [forbidden(`spec.${field}[${i}].name`, why)],
    );
  });
}

function containerCauses(spec: Json, before: Json): StatusCause[] {
  const each = (
    field: (typeof CONTAINER_LISTS)[number],
    causesOf: (one: Json, old: Json, at: string) => StatusCause[],
  ): StatusCause[] =>
    list(before[field]).flatMap((old, i) =>
      causesOf(list(spec[field])[i] ?? {}, old, `spec.${field}[${i}]`),
    );
  const isOtherwise = (one: Json, old: Json): boolean =>
    !same(
      { ...one, resources: withoutSizes(one['resources'], old['resources']) },
      { ...old, resources: filled(old['resources']) },
    );
  const removed = CONTAINER_LISTS.flatMap((field) =>
    each(field, (one, old, at) =>
      removedCauses(one['resources'], old['resources'], `${at}.resources`, 'resource'),
    ),
  );
  const changed = each('containers', (one, old) =>
    isOtherwise(one, old) ? [forbidden('spec', 'only cpu and memory resources are mutable')] : [],
  );
  const starting = each('initContainers', (one, old, at) => {
    const causes: StatusCause[] = [];
    if (isOtherwise(one, old)) {
      const why = 'only cpu and memory resources for init or sidecar containers are mutable';
      causes.push(forbidden(at, why));
    }
    if (one['restartPolicy'] === 'Always' || same(one, old)) return causes;
    const why =
      'non-sidecar init containers with a resize policy of RestartContainer cannot be resized';
    const restarts = list(one['resizePolicy']).filter(
      ({ restartPolicy }) => restartPolicy === 'RestartContainer',
    );
    return [...causes, ...restarts.map(() => forbidden(at, why))];
  });
  return [...removed, ...changed, ...starting];
}

/** Whether the kubelet of a running pod tells resources, which one that cannot resize does not. */
function isResizable(pod: KubeObject): boolean {
  const running = list(pod['status']?.containerStatuses).find(
    ({ state }) => record(state)['running'] !== undefined,
  );
  return running === undefined || running['resources'] !== undefined;
}

function resizeCauses(object: KubeObject, old: KubeObject): StatusCause[] {
  const [spec, before] = [record(object['spec']), record(old['spec'])];
  if (old.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined) {
    return [forbidden('', 'static pods cannot be resized')];
  }
  if (record(before['os'])['name'] === 'windows') {
    return [forbidden('', 'windows pods cannot be resized')];
  }
  const causes = validatePodSpec(spec, 'spec');
  const qos = qosClass(before);
  if (qosClass(spec) !== qos) {
    const why = 'Pod QOS Class may not change as a result of resizing';
    causes.push(invalidValue('spec', qos, why));
  }
  if (!isResizable(old)) {
    causes.push(forbidden('spec', 'Pod running on node without support for resize'));
  }
  causes.push(...wholeCauses(spec, before));
  const order = orderCauses(spec, before);
  return order.length > 0 ? [...causes, ...order] : [...causes, ...containerCauses(spec, before)];
}

export function validatePodPart(
  object: KubeObject,
  old: KubeObject,
  subresource: string | undefined,
): StatusCause[] {
  if (subresource === 'finalize') return validateFinalizing(object);
  if (subresource === 'ephemeralcontainers') {
    if (old.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined)
      return [forbidden('', 'static pods do not support ephemeral containers')];
    const [spec, before] = [record(object['spec']), record(old['spec'])];
    return [...validatePodSpec(spec, 'spec'), ...ephemeralCauses(spec, before)];
  }
  return subresource === 'resize' ? resizeCauses(object, old) : [];
}

/** undefined: containers come, go or are called otherwise, which is not for this endpoint. */
function resized(spec: Json, before: Json): Json | undefined {
  const lists = ['containers', 'initContainers'].map((field) => {
    const [now, old] = [list(spec[field]), list(before[field])];
    const isSame =
      now.length === old.length && old.every(({ name }, i) => now[i]?.['name'] === name);
    if (!isSame) return undefined;
    const each = old.map(({ resizePolicy: _old, ...one }, i) => {
      const { resources = {}, resizePolicy } = now[i] ?? {};
      return { ...one, resources, ...(resizePolicy === undefined ? {} : { resizePolicy }) };
    });
    return old.length === 0 ? {} : { [field]: each };
  });
  if (lists.includes(undefined)) return undefined;
  const resources = spec['resources'] ?? before['resources'];
  return Object.assign(
    { ...before, ...(resources === undefined ? {} : { resources }) },
    ...lists,
  ) as Json;
}

/** What the endpoints of a pod take: its ephemeral containers, or the resources of its containers. */
export function keepPod(next: KubeObject, old: KubeObject, subresource: string): void {
  const [spec, before] = [record(next['spec']), record(old['spec'])];
  next['status'] = old['status'];
  if (subresource === 'resize') {
    const wanted = resized(spec, before);
    if (wanted === undefined) return;
    next['spec'] = wanted;
    defaultPodLevelResources(wanted);
    return;
  }
  const { ephemeralContainers } = spec;
  const { ephemeralContainers: _old, ...rest } = before;
  const has = list(ephemeralContainers).length > 0;
  next['spec'] = { ...rest, ...(has ? { ephemeralContainers } : {}) };
}
