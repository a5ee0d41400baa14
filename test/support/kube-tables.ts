// Tables of a real kube-apiserver v1.37, recorded by tools/record-kube-tables.ts.
import { readFileSync } from 'node:fs';

export interface RecordedTable {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  /** `NAME|TYPE|FORMAT|PRIORITY` */
  readonly columns: readonly string[];
  readonly tables: readonly {
    /** When the server answered. */
    readonly at: number;
    readonly cells: readonly (readonly unknown[])[];
    readonly objects: readonly Readonly<Record<string, unknown>>[];
  }[];
}

export function recordedTables(): readonly RecordedTable[] {
  const url = new URL('../vectors/kube-tables.json', import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8')) as readonly RecordedTable[];
}
