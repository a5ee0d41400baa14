// The cells of custom resources: what the path of a column finds, as the type of the column has it (tableconvertor of
// k8s.io/apiextensions-apiserver v0.37).
import { exactNumber } from '#kube/meta/exact-numbers.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { PrinterColumn, ResourceInfo } from '#kube/meta/resource-info.ts';
import { name, type Json, type Printer } from './cells.ts';
import { age, column } from './columns.ts';
import { isWhole, parsePath, valuesAt, type Path } from './json-path.ts';

interface PathColumn extends PrinterColumn {
  readonly path: Path;
}

/** Those before the first whose path is none: the others are left out. */
function readable(columns: readonly PrinterColumn[]): PathColumn[] {
  const found: PathColumn[] = [];
  for (const one of columns) {
    const path = parsePath(one.jsonPath ?? '');
    if (path === undefined) break;
    found.push({ ...one, path });
  }
  return found;
}

export function customPrinter(info: ResourceInfo): Printer {
  const columns = readable(info.printerColumns ?? []);
  return {
    columns: [
      column('Name'),
      ...columns.map((one) => ({
        ...column(one.name, one.type, one.priority),
        format: one.format ?? '',
        description: one.description ?? '',
      })),
    ],
    cells: (object, now) => [name(object), ...columns.map((one) => cellOf(one, object, now))],
  };
}

function cellOf({ type, path }: PathColumn, object: KubeObject, now: number): unknown {
  const values = valuesAt(path, object) ?? [];
  if (values.length === 0) return null;
  const [value] = values;
  if (type === 'string') return textOf(value);
  return typedCell(type, value, now);
}

/** What becomes of a number that is too large, on the machines that upstream is built for. */
const INT64_MIN = exactNumber('-9223372036854775808');

function typedCell(type: string, value: unknown, now: number): unknown {
  const isNumber = typeof value === 'number';
  switch (type) {
    case 'integer':
      if (isNumber) return Math.abs(value) < 2 ** 63 ? Math.trunc(value) : INT64_MIN;
      return typeof value === 'bigint' ? value : null;
    case 'number':
      return isNumber || typeof value === 'bigint' ? Number(value) : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return typeof value === 'string' ? dateCell(value, now) : null;
    default:
      return null;
  }
}

const RFC3339 = /^\d{4}-\d{2}-\d{2}T\d{1,2}:\d{2}:\d{2}([.,]\d+)?(Z|[+-]\d{2}:\d{2})$/;

function dateCell(value: string, now: number): string {
  if (value === '' || value === 'null') return age(undefined, now);
  const isDate = RFC3339.test(value) && !Number.isNaN(Date.parse(value));
  return isDate ? age(value, now) : '<invalid>';
}

/** As Go prints it. */
function textOf(value: unknown): string {
  if (value === null || value === undefined) return '<no value>';
  if (typeof value === 'number') return isWhole(value) ? String(value) : floatText(value);
  return typeof value === 'object' ? jsonText(value) : String(value);
}

/** Shortest, with an exponent of two digits at least from a million on, and when it is small (`%v`). */
function floatText(value: number): string {
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 6) return plainText(value, digits, power);
  const size = String(Math.abs(power)).padStart(2, '0');
  return `${digits}e${power < 0 ? '-' : '+'}${size}`;
}

function plainText(value: number, digits: string, power: number): string {
  const decimals = Math.max(0, digits.replace(/^-?\d\.?/, '').length - power);
  return value.toFixed(Math.min(decimals, 100));
}

/** Go's JSON is fit for HTML. */
function jsonText(value: unknown): string {
  const code = (sign: string): string => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(inOrder(value)).replaceAll(/[<>&\u2028\u2029]/g, code);
}

/** Go writes the keys of maps in order. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value as Json).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, one]) => [key, inOrder(one)]));
}
