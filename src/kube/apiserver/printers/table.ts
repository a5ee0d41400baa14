// Tables for kubectl get: columns and cells of each kind as upstream prints them, or by the columns of a
// custom resource; the printers of built-in kinds are beside this file.
import type { KubeObject } from '#kube/meta/object.ts';
import { partialObject } from '#kube/apiserver/metadata-only.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { list, name, type Json, type Printer, type Printers } from './cells.ts';
import { clusterPrinters, unprinted } from './cluster.ts';
import { age, column } from './columns.ts';
import { corePrinters } from './core.ts';
import { networkPrinters } from './network.ts';
import { storagePrinters } from './storage.ts';
import { workloadPrinters } from './workloads.ts';

const printers: Printers = {
  ...corePrinters,
  ...workloadPrinters,
  ...networkPrinters,
  ...storagePrinters,
  ...clusterPrinters,
};

/** `.spec.replicas`, `.status.conditions[?(@.type=="Ready")].status`: the paths that columns use. */
export function jsonPath(object: unknown, path: string): unknown {
  let values: unknown[] = [object];
  for (const token of path.match(
    /\.[A-Za-z0-9_-]+|\['[^']+'\]|\[\d+\]|\[\*\]|\[\?\(@\.[\w.]+==["'][^"']*["']\)\]/g,
  ) ?? []) {
    const filter = /^\[\?\(@\.([\w.]+)==["']([^"']*)["']\)\]$/.exec(token);
    values = values.flatMap((value): unknown[] => {
      if (value === undefined || value === null) return [];
      if (filter !== null) {
        return list(value).filter((one) => String(jsonPath(one, `.${filter[1]}`)) === filter[2]);
      }
      if (token === '[*]') return Array.isArray(value) ? value : Object.values(value as Json);
      const key = token.startsWith('.') ? token.slice(1) : token.replace(/^\['?|'?\]$/g, '');
      const found = (value as Json)[key];
      return found === undefined ? [] : [found];
    });
  }
  return values.length > 1 ? values : values[0];
}

function customPrinter(info: ResourceInfo): Printer {
  const columns = info.printerColumns ?? [];
  return {
    columns: [
      column('Name'),
      ...columns.map((one) => ({
        ...column(one.name, one.type, one.priority),
        format: one.format ?? '',
        description: one.description ?? '',
      })),
    ],
    cells: (object, now) => [
      name(object),
      ...columns.map((one) => {
        const value = jsonPath(object, one.jsonPath ?? '');
        if (value === undefined) return null;
        if (one.type === 'date') return age(value, now);
        return typeof value === 'object' ? JSON.stringify(value) : value;
      }),
    ],
  };
}

export function printerOf(info: ResourceInfo): Printer {
  if (info.printerColumns !== undefined && info.printerColumns.length > 0)
    return customPrinter(info);
  // Events are the same in both of their groups.
  const group = info.resource === 'events' ? '' : info.group;
  return printers[`${group}/${info.resource}`] ?? unprinted;
}

export interface TableOptions {
  readonly now: number;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly includeObject: 'None' | 'Metadata' | 'Object';
  /** Later events of a watch leave the columns out. */
  readonly withColumns: boolean;
}

export function toTable(info: ResourceInfo, objects: readonly KubeObject[], options: TableOptions) {
  const printer = printerOf(info);
  const rows = objects.map((object) => ({
    cells: printer.cells(object, options.now, objects),
    ...(options.includeObject === 'None'
      ? {}
      : {
          object: options.includeObject === 'Object' ? object : partialObject(info, object),
        }),
  }));
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: options.metadata,
    columnDefinitions: options.withColumns ? printer.columns : null,
    rows,
  };
}
