// What upstream says in words of types, fields and operations, which a build step reads out of an installed package
// (tools/explain-descriptions.ts): large, so whoever needs a few of the words keeps those alone.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Descriptions } from '#kube/openapi/texts.ts';

/** Empty where the build step has not run: beside sources, and without the package. */
export function loadDescriptions(): Descriptions {
  for (const place of ['..', '../../../build']) {
    const path = join(import.meta.dirname, place, 'explain-descriptions.json');
    if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Descriptions;
  }
  return {};
}

interface ColumnTexts {
  readonly name: string;
  readonly age: string;
}

let columnTexts: ColumnTexts | undefined;

/** Of the columns that tables have of any kind. */
export function textsOfColumns(): ColumnTexts {
  if (columnTexts !== undefined) return columnTexts;
  const meta = loadDescriptions()['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'] ?? {};
  columnTexts = { name: meta['name'] ?? '', age: meta['creationTimestamp'] ?? '' };
  return columnTexts;
}
