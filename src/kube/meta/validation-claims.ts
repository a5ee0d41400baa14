// Validates what a claim of a volume asks for, wherever the claim stands, as kube-apiserver v1.37 does.
import { labelSelector, list, named, needed, oneOf, record } from './field-rules.ts';
import { forbidden, invalidValue, requiredValue } from './names.ts';
import { compareQuantities } from './quantity.ts';
import type { StatusCause } from './status.ts';

export const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
export const volumeModes = ['Block', 'Filesystem'];

export function accessModeCauses(modes: unknown, field: string): StatusCause[] {
  const all = list(modes) as unknown as string[];
  const causes = all.flatMap((mode) => oneOf(field, mode, accessModes));
  const isMixed = all.some((mode) => mode !== ALONE && accessModes.includes(mode));
  if (all.includes(ALONE) && isMixed) {
    causes.push(forbidden(field, 'may not use ReadWriteOncePod with other access modes'));
  }
  return causes;
}

const ALONE = 'ReadWriteOncePod';

function dataSource(source: unknown, at: string): StatusCause[] {
  if (source === undefined) return [];
  const { name, kind = '', apiGroup, namespace } = record(source);
  const causes = [...needed(`${at}.name`, name), ...needed(`${at}.kind`, kind)];
  if (!apiGroup && kind !== 'PersistentVolumeClaim') {
    const why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
    causes.push(invalidValue(at, kind, why));
  }
  return [
    ...causes,
    ...named(`${at}.apiGroup`, apiGroup || undefined, 'subdomain'),
    ...named(`${at}.namespace`, namespace || undefined, 'label'),
  ];
}

export function validateClaimSpec(given: unknown, at: string): StatusCause[] {
  const spec = record(given);
  const modes = list(spec['accessModes']);
  const { volumeAttributesClassName: attributes } = spec;
  const causes: StatusCause[] = [];
  if (modes.length === 0) {
    causes.push(requiredValue(`${at}.accessModes`, 'at least 1 access mode is required'));
  }
  causes.push(...accessModeCauses(modes, `${at}.accessModes`));
  const { storage } = record(record(spec['resources'])['requests']);
  if (storage === undefined) causes.push(requiredValue(`${at}.resources[storage]`));
  else if (compareQuantities(storage, '0') <= 0) {
    const why = 'must be greater than zero';
    causes.push(invalidValue(`${at}.resources[storage]`, String(storage), why));
  }
  return [
    ...causes,
    ...labelSelector(spec['selector'], `${at}.selector`),
    ...named(`${at}.storageClassName`, spec['storageClassName'] || undefined, 'subdomain'),
    ...oneOf(`${at}.volumeMode`, spec['volumeMode'], volumeModes),
    ...dataSource(spec['dataSource'], `${at}.dataSource`),
    ...dataSource(spec['dataSourceRef'], `${at}.dataSourceRef`),
    ...named(`${at}.volumeAttributesClassName`, attributes || undefined, 'subdomain'),
  ];
}
