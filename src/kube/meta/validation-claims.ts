// Validates what a claim of a volume asks for, wherever the claim stands, as kube-apiserver v1.37 does.
import { labelSelector, list, named, oneOf, record } from './field-rules.ts';
import { invalidValue, requiredValue } from './names.ts';
import { compareQuantities } from './quantity.ts';
import type { StatusCause } from './status.ts';

export const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
export const volumeModes = ['Block', 'Filesystem'];

export function validateClaimSpec(given: unknown, at: string): StatusCause[] {
  const spec = record(given);
  const modes = list(spec['accessModes']);
  const causes: StatusCause[] = [];
  if (modes.length === 0) {
    causes.push(requiredValue(`${at}.accessModes`, 'at least 1 access mode is required'));
  }
  for (const mode of modes) causes.push(...oneOf(`${at}.accessModes`, mode, accessModes));
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
  ];
}
