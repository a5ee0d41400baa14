// Writes build/explain-descriptions.json: what `kubectl explain` says of types and fields, and OpenAPI of operations,
// read from the doc comments of an installed client package (the sentences are its authors', so none are committed).
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serverTypeNames } from '#kube/openapi/server-paths.ts';
import { OPERATIONS, PARAMETERS } from '#kube/openapi/texts.ts';
import { describedOperations } from './explain-operations.ts';

type Described = Record<string, string>;

const root = join(import.meta.dirname, '..');
const client = join(root, 'node_modules/@kubernetes/client-node/dist/gen');
const models = join(client, 'models');
const table = join(root, 'src/kube/types/generated/table.json');

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** The client's class for `io.k8s.api.core.v1.PodSpec` is `V1PodSpec`, or `CoreV1Event` if many share it. */
function classOf(type: string, known: ReadonlySet<string>): string | undefined {
  const [kind = '', version = '', group = ''] = type.split('.').toReversed();
  const short = `${capital(version)}${kind}`;
  return [`${capital(group)}${short}`, short].find((name) => known.has(name));
}

function plain(comment: string): string {
  return comment
    .replaceAll(/^\s*\* ?/gm, '')
    .replaceAll(/\\(['"`])/g, '$1')
    .trim();
}

export function describedIn(declaration: string, code: string): Described {
  const wireNames = new Map<string, string>();
  for (const [, name = '', wire = ''] of code.matchAll(
    /"name": "([^"]+)",\s*"baseName": "([^"]+)"/g,
  )) {
    wireNames.set(name, wire);
  }
  const found: Described = {};
  const pattern = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(?:export declare class \w+|'([^']+)'\??:)/g;
  for (const [, comment = '', field] of declaration.matchAll(pattern)) {
    found[field === undefined ? '' : (wireNames.get(field) ?? field)] = plain(comment);
  }
  return found;
}

/** False when the package is not there to read. */
export function writeExplainDescriptions(): boolean {
  if (!existsSync(models)) return false;
  const known = new Set(
    readdirSync(models)
      .filter((name) => name.endsWith('.d.ts'))
      .map((name) => name.slice(0, -'.d.ts'.length)),
  );
  const { types } = JSON.parse(readFileSync(table, 'utf8')) as { types: Record<string, unknown> };
  const all: Record<string, Described> = {};
  const kinds = Object.keys(types);
  // Lists are in no table: those that the package has are the ones that there are.
  for (const type of [...kinds, ...kinds.map((one) => `${one}List`), ...serverTypeNames]) {
    const name = classOf(type, known);
    if (name === undefined) continue;
    const [declaration = '', code = ''] = ['.d.ts', '.js'].map((ending) =>
      readFileSync(join(models, name + ending), 'utf8'),
    );
    all[type] = describedIn(declaration, code);
  }
  const { operations, parameters } = describedOperations(join(client, 'apis'));
  Object.assign(all, { [OPERATIONS]: operations, [PARAMETERS]: parameters });
  mkdirSync(join(root, 'build'), { recursive: true });
  writeFileSync(join(root, 'build/explain-descriptions.json'), JSON.stringify(all));
  return true;
}

if (import.meta.main) writeExplainDescriptions();
