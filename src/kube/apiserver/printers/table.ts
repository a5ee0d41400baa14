// Tables for kubectl get: columns and cells of each kind as upstream prints them, or by the columns of a
// custom resource; the printers of built-in kinds are beside this file.
import type { KubeObject } from '#kube/meta/object.ts';
import { textsOfColumns } from '#kube/apiserver/descriptions.ts';
import { partialObject } from '#kube/apiserver/metadata-only.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import type { Printer, Printers } from './cells.ts';
import { clusterPrinters, unprinted } from './cluster.ts';
import type { Column } from './columns.ts';
import { corePrinters } from './core.ts';
import { customPrinter } from './custom-cells.ts';
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

/** Of a kind that is printed by columns of its own: its paths are read once. */
const custom = new WeakMap<ResourceInfo, Printer>();

function customPrinterOf(info: ResourceInfo): Printer {
  const known = custom.get(info) ?? customPrinter(info);
  custom.set(info, known);
  return known;
}

export function printerOf(info: ResourceInfo): Printer {
  if (info.printerColumns !== undefined && info.printerColumns.length > 0)
    return customPrinterOf(info);
  // Events are the same in both of their groups.
  const group = info.resource === 'events' ? '' : info.group;
  return printers[`${group}/${info.resource}`] ?? unprinted;
}

/** Name and age are what the fields of metadata are. */
function described(column: Column): Column {
  if (column.description !== '') return column;
  if (column.name === 'Name') return { ...column, description: textsOfColumns().name };
  const isAge = column.name === 'Age' || column.name === 'Created At';
  return isAge ? { ...column, description: textsOfColumns().age } : column;
}

export interface TableOptions {
  /** Of meta.k8s.io. */
  readonly version: string;
  readonly now: number;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly includeObject: 'None' | 'Metadata' | 'Object';
  /** Later events of a watch leave the columns out. */
  readonly withColumns: boolean;
}

export function toTable(info: ResourceInfo, objects: readonly KubeObject[], options: TableOptions) {
  const printer = printerOf(info);
  const { version } = options;
  const rows = objects.map((object) => ({
    cells: printer.cells(object, options.now, objects),
    ...(options.includeObject === 'None'
      ? {}
      : {
          object:
            options.includeObject === 'Object' ? object : partialObject(info, object, version),
        }),
  }));
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${version}`,
    metadata: options.metadata,
    columnDefinitions: options.withColumns ? printer.columns.map(described) : null,
    rows,
  };
}
