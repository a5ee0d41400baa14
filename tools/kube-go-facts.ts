// What the OpenAPI documents do not tell of the fields of the Kubernetes types, for
// generate-kube-types.ts: which are pointers, and which are written even when they are zero.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { flat } from './kube-protobuf-table.ts';

export interface GoFacts {
  /** Fields that are pointers: their zero is a value, where that of others means absent. */
  readonly pointers: readonly string[];
  /** Fields that are written even when they are zero (no `omitempty`). */
  readonly written: readonly string[];
}

/** What the OpenAPI documents do not tell of the fields of a type. */
export function readGoFacts(folders: readonly string[]): Record<string, GoFacts> {
  const found: Record<string, GoFacts> = {};
  for (const folder of folders) {
    for (const path of sourcesOf(folder)) {
      const text = readFileSync(path, 'utf8');
      const module = folder.split('/').at(-1)?.split('@')[0] ?? '';
      const inside = path
        .slice(folder.length + 1)
        .split('/')
        .slice(0, -1)
        .join('.');
      for (const [, name = '', body = ''] of text.matchAll(
        /^type (\w+) struct \{\n([\s\S]*?)^\}/gm,
      )) {
        const pointers: string[] = [];
        const written: string[] = [];
        for (const [, type = '', field = '', options = ''] of body.matchAll(
          /^\t\w+\s+(\S+)\s+`[^`]*json:"(\w+)([^"]*)"/gm,
        )) {
          if (/^\*(?:string|bool|int32|int64|[A-Z]\w+)$/.test(type)) pointers.push(field);
          // A time is a struct: `omitempty` leaves it in, as null.
          const isTime = /^(?:metav1\.)?(?:Micro)?Time$/.test(type);
          const omits = isTime ? /omitzero|inline/ : /omitempty|omitzero|inline/;
          if (!omits.test(options)) written.push(field);
        }
        found[flat(`io.k8s.${module}.${inside}.${name}`)] = { pointers, written };
      }
    }
  }
  return found;
}

function sourcesOf(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => /(^|\/)(?:types[\w]*|group_version)\.go$/.test(name))
    .map((name) => join(folder, name));
}
