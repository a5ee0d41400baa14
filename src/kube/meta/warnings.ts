// What kube-apiserver v1.37 takes, but warns of: values that do not mean what they seem to.
import { isObject, list, record, type Json } from './field-rules.ts';
import { nameProblem } from './names.ts';
import type { KubeObject } from './object.ts';
import { compareQuantities } from './quantity.ts';
import type { ResourceInfo } from './resource-info.ts';

const named = new Set([
  '/pods',
  '/replicationcontrollers',
  'apps/deployments',
  'apps/replicasets',
  'batch/jobs',
  'batch/cronjobs',
]);

function nameWarnings({ name = '' }: KubeObject['metadata']): string[] {
  const problem = nameProblem('label-without-dots', name);
  if (name === '' || problem === undefined || nameProblem('subdomain', name) !== undefined)
    return [];
  const what = 'this is used in Pod names and hostnames, which can result in surprising behavior';
  return [`metadata.name: ${what}; a DNS label is recommended: [${problem}]`];
}

/** Memory and storage come in whole bytes. */
function fractions(container: Json, at: string): string[] {
  const resources = record(container['resources']);
  return ['limits', 'requests'].flatMap((kind) =>
    Object.entries(record(resources[kind]))
      .filter(([name, amount]) => isWholeBytes(name) && isFractional(amount))
      .map(([name, amount]) => {
        const field = `${at}.resources.${kind}[${name}]`;
        return `${field}: fractional byte value ${JSON.stringify(amount)} is invalid, must be an integer`;
      }),
  );
}

const isWholeBytes = (name: string): boolean => name === 'memory' || name === 'ephemeral-storage';

function isFractional(amount: unknown): boolean {
  if (typeof amount !== 'string' || !amount.endsWith('m')) return false;
  return compareQuantities(amount, `${Math.round(Number.parseInt(amount, 10) / 1_000)}`) !== 0;
}

function podWarnings(spec: Json, at: string): string[] {
  const found = [
    ...list(spec['containers']).flatMap((one, i) => fractions(one, `${at}.containers[${i}]`)),
    ...list(spec['initContainers']).flatMap((one, i) =>
      fractions(one, `${at}.initContainers[${i}]`),
    ),
  ];
  list(spec['imagePullSecrets']).forEach(({ name = '' }, i) => {
    if (name === '') found.push(`${at}.imagePullSecrets[${i}].name: invalid empty name ""`);
  });
  for (const { name, projected } of list(spec['volumes'])) {
    if (!isObject(projected)) continue;
    const sources = list(projected['sources']);
    if (sources.length > 0 && sources.every((one) => Object.keys(one).length === 0)) {
      found.push(`volume ${JSON.stringify(name)} (Projected) has no sources provided`);
    }
  }
  return found;
}

/** Where the spec of pods is in an object of the kind. */
const podSpecs: Readonly<Record<string, string>> = {
  '/pods': 'spec',
  '/podtemplates': 'template.spec',
  '/replicationcontrollers': 'spec.template.spec',
  'apps/deployments': 'spec.template.spec',
  'apps/replicasets': 'spec.template.spec',
  'apps/daemonsets': 'spec.template.spec',
  'apps/statefulsets': 'spec.template.spec',
  'batch/jobs': 'spec.template.spec',
  'batch/cronjobs': 'spec.jobTemplate.spec.template.spec',
};

export function warningsOf(info: ResourceInfo, object: KubeObject): string[] {
  const key = `${info.group}/${info.resource}`;
  const path = podSpecs[key];
  const found = named.has(key) ? nameWarnings(object.metadata) : [];
  if (path !== undefined) {
    const spec = path.split('.').reduce<Json>((value, name) => record(value[name]), object);
    found.push(...podWarnings(spec, path));
  }
  const { trafficDistribution } = key === '/services' ? record(object['spec']) : {};
  if (trafficDistribution === 'PreferClose') {
    found.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  }
  return found;
}
