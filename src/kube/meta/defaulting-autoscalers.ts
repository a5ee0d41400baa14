// Defaults of autoscalers (v1.37): what they look at, and how fast they go.
import { cloneJson } from '#base/clone.ts';
import { isObject, list, type Json } from './field-rules.ts';
import type { KubeObject } from './object.ts';

function fill(target: Json, values: Json): void {
  for (const [key, value] of Object.entries(values)) target[key] ??= cloneJson(value);
}

const CPU_PERCENT = 80;
const perSeconds = (type: string, value: number): Json => ({ type, value, periodSeconds: 15 });
const scalingDefaults: Readonly<Record<string, Json>> = {
  scaleUp: {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [perSeconds('Pods', 4), perSeconds('Percent', 100)],
  },
  scaleDown: { selectPolicy: 'Max', policies: [perSeconds('Percent', 100)] },
};

export function defaultAutoscaler(spec: Json, object: KubeObject): void {
  fill(spec, { minReplicas: 1 });
  if (object.apiVersion === 'autoscaling/v1') {
    fill(spec, { targetCPUUtilizationPercentage: CPU_PERCENT });
    return;
  }
  if (list(spec['metrics']).length === 0) {
    const target = { type: 'Utilization', averageUtilization: CPU_PERCENT };
    spec['metrics'] = [{ type: 'Resource', resource: { name: 'cpu', target } }];
  }
  const behavior = spec['behavior'];
  if (!isObject(behavior)) return;
  for (const [which, values] of Object.entries(scalingDefaults))
    fill((behavior[which] ??= {}) as Json, values);
}
