// Label and field selectors: parsing with upstream's error words, and matching.
import { badRequest } from './status.ts';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';
  readonly values: readonly string[];
}

export type LabelSelector = readonly LabelRequirement[];

const KEY = String.raw`[A-Za-z0-9./_-]+`;
const patterns: readonly (readonly [RegExp, (match: RegExpExecArray) => LabelRequirement])[] = [
  [
    new RegExp(String.raw`^(${KEY})\s+(in|notin)\s+\(([^()]*)\)$`),
    ([, key = '', word, list = '']) => ({
      key,
      operator: word === 'in' ? 'In' : 'NotIn',
      values: list.split(',').map((one) => one.trim()),
    }),
  ],
  [
    new RegExp(`^!\\s*(${KEY})$`),
    ([, key = '']) => ({ key, operator: 'DoesNotExist', values: [] }),
  ],
  [
    new RegExp(String.raw`^(${KEY})\s*!=\s*([A-Za-z0-9._-]*)$`),
    ([, key = '', value = '']) => ({ key, operator: 'NotIn', values: [value] }),
  ],
  [
    new RegExp(String.raw`^(${KEY})\s*==?\s*([A-Za-z0-9._-]*)$`),
    ([, key = '', value = '']) => ({ key, operator: 'In', values: [value] }),
  ],
  [
    new RegExp(String.raw`^(${KEY})\s*([<>])\s*(\d+)$`),
    ([, key = '', sign, value = '']) => ({
      key,
      operator: sign === '>' ? 'Gt' : 'Lt',
      values: [value],
    }),
  ],
  [new RegExp(`^(${KEY})$`), ([, key = '']) => ({ key, operator: 'Exists', values: [] })],
];

/** Throws ApiError 400. */
export function parseLabelSelector(text: string): LabelSelector {
  const parts = text.match(/(?:[^,(]|\([^)]*\))+/g) ?? [];
  return parts
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      for (const [pattern, make] of patterns) {
        const match = pattern.exec(part);
        if (match !== null) return make(match);
      }
      throw badRequest(
        `unable to parse requirement: found '${part}', expected: a label requirement`,
      );
    });
}

export function matchesLabels(
  selector: LabelSelector,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  return selector.every(({ key, operator, values }) => {
    const value = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value);
      case 'NotIn':
        return value === undefined || !values.includes(value);
      case 'Exists':
        return value !== undefined;
      case 'DoesNotExist':
        return value === undefined;
      case 'Gt':
        return value !== undefined && Number(value) > Number(values[0]);
      case 'Lt':
        return value !== undefined && Number(value) < Number(values[0]);
    }
  });
}

interface LabelSelectorObject {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    key: string;
    operator: string;
    values?: readonly string[];
  }[];
}

/** A LabelSelector object of an API type; an absent one matches nothing, an empty one everything. */
export function labelSelectorFromObject(
  selector: LabelSelectorObject | undefined,
): LabelSelector | undefined {
  if (selector === undefined) return undefined;
  const labels = Object.entries(selector.matchLabels ?? {}).map(
    ([key, value]): LabelRequirement => ({ key, operator: 'In', values: [value] }),
  );
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values }): LabelRequirement => ({
      key,
      operator: operator as LabelRequirement['operator'],
      values: values ?? [],
    }),
  );
  return [...labels, ...expressions];
}

export function formatLabelSelector(selector: LabelSelector): string {
  return selector
    .map(({ key, operator, values }) => {
      if (operator === 'In' && values.length === 1) return `${key}=${values[0]}`;
      if (operator === 'In') return `${key} in (${values.join(',')})`;
      if (operator === 'NotIn') return `${key} notin (${values.join(',')})`;
      if (operator === 'Exists') return key;
      return operator === 'DoesNotExist'
        ? `!${key}`
        : `${key}${operator === 'Gt' ? '>' : '<'}${values[0]}`;
    })
    .join(',');
}

export interface FieldRequirement {
  readonly path: string;
  readonly value: string;
  readonly isEqual: boolean;
}

/** Throws ApiError 400 for fields that cannot be selected by. */
export function parseFieldSelector(text: string, allowed: readonly string[]): FieldRequirement[] {
  return text
    .split(',')
    .filter((part) => part !== '')
    .map((part) => {
      const match = /^([\w.]+)\s*(!=|==|=)(.*)$/.exec(part.trim());
      if (match === null)
        throw badRequest(`invalid selector: '${part}'; can't understand '${part}'`);
      const [, path = '', sign, value = ''] = match;
      if (!['metadata.name', 'metadata.namespace', ...allowed].includes(path)) {
        throw badRequest(`field label not supported: ${path}`);
      }
      return { path, value, isEqual: sign !== '!=' };
    });
}

export function fieldValue(object: unknown, path: string): string {
  let value: unknown = object;
  for (const part of path.split('.')) {
    value = (value as Record<string, unknown> | undefined | null)?.[part];
    if (value === undefined || value === null) break;
  }
  // Booleans and numbers are selected by their text; what is absent by the empty one.
  if (value === undefined || value === null)
    return path === 'spec.unschedulable' || path === 'spec.hostNetwork' ? 'false' : '';
  return typeof value === 'object' ? '' : String(value);
}

export function matchesFields(selector: readonly FieldRequirement[], object: unknown): boolean {
  return selector.every(
    ({ path, value, isEqual }) => (fieldValue(object, path) === value) === isEqual,
  );
}
