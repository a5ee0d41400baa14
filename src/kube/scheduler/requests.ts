// The effective resource requests of a pod (k8s.io/component-helpers resource semantics, v1.37): the
// sum of containers and sidecars, or the largest init step, plus overhead.
import type { KubeObject } from '#kube/meta/object.ts';
import { numberOf } from '#kube/meta/quantity-number.ts';
import { addAmounts, noAmounts, type Amounts } from './types.ts';

interface Container {
  readonly restartPolicy?: string;
  readonly resources?: {
    readonly requests?: Readonly<Record<string, unknown>>;
    readonly limits?: Readonly<Record<string, unknown>>;
  };
}

const GPU = 'nvidia.com/gpu';
const known = new Set(['cpu', 'memory', 'ephemeral-storage', GPU]);

function amountsOf(list: Readonly<Record<string, unknown>> | undefined): Amounts {
  return {
    cpuMilli: Math.ceil(numberOf(list?.['cpu'] ?? 0) * 1_000 - 1e-6),
    memoryBytes: Math.ceil(numberOf(list?.['memory'] ?? 0)),
    ephemeralStorageBytes: Math.ceil(numberOf(list?.['ephemeral-storage'] ?? 0)),
    gpus: Math.ceil(numberOf(list?.[GPU] ?? 0)),
  };
}

function maxAmounts(a: Amounts, b: Amounts): Amounts {
  return {
    cpuMilli: Math.max(a.cpuMilli, b.cpuMilli),
    memoryBytes: Math.max(a.memoryBytes, b.memoryBytes),
    ephemeralStorageBytes: Math.max(a.ephemeralStorageBytes, b.ephemeralStorageBytes),
    gpus: Math.max(a.gpus, b.gpus),
  };
}

function requestsOf(container: Container): Amounts {
  // A limit without a request is the request (defaulting does this; pods made by hand may lack it).
  return amountsOf({ ...container.resources?.limits, ...container.resources?.requests });
}

export function podRequests(pod: KubeObject): Amounts {
  const containers = (pod['spec']?.containers ?? []) as readonly Container[];
  const inits = (pod['spec']?.initContainers ?? []) as readonly Container[];
  let running = containers.map(requestsOf).reduce(addAmounts, noAmounts);
  let sidecars = noAmounts;
  let initPeak = noAmounts;
  for (const init of inits) {
    if (init.restartPolicy === 'Always') {
      sidecars = addAmounts(sidecars, requestsOf(init));
      initPeak = maxAmounts(initPeak, sidecars);
    } else {
      initPeak = maxAmounts(initPeak, addAmounts(sidecars, requestsOf(init)));
    }
  }
  running = addAmounts(running, sidecars);
  const overhead = amountsOf(pod['spec']?.overhead as Record<string, unknown> | undefined);
  return addAmounts(maxAmounts(running, initPeak), overhead);
}

/** Requests for resources that agents do not have; they keep a pod waiting with a clear reason. */
export function extendedRequests(pod: KubeObject): Record<string, number> {
  const found: Record<string, number> = {};
  for (const container of (pod['spec']?.containers ?? []) as readonly Container[]) {
    const all = { ...container.resources?.limits, ...container.resources?.requests };
    for (const [name, value] of Object.entries(all)) {
      if (!known.has(name)) found[name] = (found[name] ?? 0) + numberOf(value);
    }
  }
  return found;
}
