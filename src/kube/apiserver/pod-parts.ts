// What may change of a pod by its own endpoints (kube-apiserver v1.37): ephemeral containers come and stay as
// they are; resources change, but not the class of service that they make.
import { same } from '#base/same.ts';
import { forbidden, invalidValue } from '#kube/meta/names.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { qosClass } from './strategies.ts';

type Json = Record<string, unknown>;

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);

function ephemeralCauses(spec: Json, before: Json): StatusCause[] {
  const field = 'spec.ephemeralContainers';
  const now = list(spec['ephemeralContainers']);
  return list(before['ephemeralContainers']).flatMap((one, i) => {
    const name = JSON.stringify(one['name']);
    const found = now.find((other) => other['name'] === one['name']);
    if (found === undefined) {
      return [forbidden(field, `existing ephemeral containers ${name} may not be removed\n`)];
    }
    if (same(found, one)) return [];
    const why = `existing ephemeral containers ${name} may not be changed\n`;
    return [forbidden(`${field}[${i}]`, why)];
  });
}

const sized = new Set(['cpu', 'memory']);

/** The resources that only start-up decides, of each container. */
function fixedResources(spec: Json): unknown {
  const all = [...list(spec['containers']), ...list(spec['initContainers'])];
  return all.map(({ resources }) =>
    Object.fromEntries(
      Object.entries((resources ?? {}) as Json).map(([kind, amounts]) => [
        kind,
        Object.entries((amounts ?? {}) as Json).filter(([name]) => !sized.has(name)),
      ]),
    ),
  );
}

function resizeCauses(spec: Json, before: Json): StatusCause[] {
  const causes: StatusCause[] = [];
  const [next, old] = [qosClass(spec), qosClass(before)];
  if (next !== old) {
    const why = 'Pod QOS Class may not change as a result of resizing';
    causes.push(invalidValue('spec', old, why));
  }
  const changed = (one: Json): string => JSON.stringify(fixedResources(one));
  if (
    changed(spec).replaceAll(/"\w+":\[\],?/g, '') !==
    changed(before).replaceAll(/"\w+":\[\],?/g, '')
  ) {
    causes.push(forbidden('spec', 'only cpu and memory resources are mutable'));
  }
  return causes;
}

export function validatePodPart(
  object: KubeObject,
  old: KubeObject,
  subresource: string | undefined,
): StatusCause[] {
  const [spec, before] = [(object['spec'] ?? {}) as Json, (old['spec'] ?? {}) as Json];
  if (subresource === 'ephemeralcontainers') return ephemeralCauses(spec, before);
  return subresource === 'resize' ? resizeCauses(spec, before) : [];
}
