// What printers have in common: names, ages, lists that are cut short, selectors and labels as text
// (pkg/printers/internalversion of Kubernetes v1.37).
import type { KubeObject } from '#kube/meta/object.ts';
import { formatLabelSelector, labelSelectorFromObject } from '#kube/meta/selectors.ts';
import { age, column, type Column } from './columns.ts';

export type Json = Record<string, unknown>;

export interface Printer {
  readonly columns: readonly Column[];
  /** `all`: every object of the same table. */
  readonly cells: (object: KubeObject, now: number, all: readonly KubeObject[]) => unknown[];
}

/** By `group/resource`. */
export type Printers = Readonly<Record<string, Printer>>;

export const nameColumn = column('Name');
export const ageColumn = column('Age');

/** Columns of a name, what is between, and an age. */
export function columns(...between: readonly (string | Column)[]): readonly Column[] {
  const made = between.map((one) => (typeof one === 'string' ? column(one) : one));
  return [nameColumn, ...made, ageColumn];
}

export const integer = (name: string): Column => column(name, 'integer');
export const boolean = (name: string): Column => column(name, 'boolean');
/** In wide output only. */
export const wide = (name: string): Column => column(name, 'string', 1);

export const created = (object: KubeObject, now: number): string =>
  age(object.metadata.creationTimestamp, now);
export const name = (object: KubeObject): string => object.metadata.name ?? '';
export const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);

/** `a,b,c + 2 more...` */
export function shortened(all: readonly string[], most: number, none: string): string {
  if (all.length === 0) return none;
  const first = all.slice(0, most).join(',');
  return all.length <= most ? first : `${first} + ${all.length - most} more...`;
}

/** Of a metav1.LabelSelector. */
export function selectorText(selector: unknown): string {
  const parsed = labelSelectorFromObject(selector as never);
  return parsed === undefined || parsed.length === 0 ? '<none>' : formatLabelSelector(parsed);
}

/** Of a plain map. */
export function labelsText(labels: unknown): string {
  const all = Object.entries((labels ?? {}) as Json).map(
    ([key, value]) => `${key}=${String(value)}`,
  );
  return all.toSorted().join(',') || '<none>';
}

/** Names and images of the containers of a pod template. */
export function containerCells(template: unknown): [string, string] {
  const containers = list((template as KubeObject | undefined)?.['spec']?.containers);
  return [
    containers.map((one) => String(one['name'])).join(','),
    containers.map((one) => String(one['image'])).join(','),
  ];
}

/** `status` of the condition of this type; undefined when there is none. */
export function conditionStatus(object: KubeObject, type: string): unknown {
  return list(object['status']?.conditions).find((one) => one['type'] === type)?.['status'];
}
