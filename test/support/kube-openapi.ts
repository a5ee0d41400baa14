// What an OpenAPI v2 document says in short: of each path the methods, with what they do to which kind; and
// which definitions there are, with their fields.
import { createHash } from 'node:crypto';

type Json = Record<string, unknown>;

export interface Outline {
  /** Path -> method -> `action group/version/Kind`. */
  readonly paths: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Definition -> its fields, the required ones with a star. */
  readonly definitions: Readonly<Record<string, readonly string[]>>;
}

const methods = ['delete', 'get', 'head', 'options', 'patch', 'post', 'put'];

function said(operation: Json): string {
  const kind = operation['x-kubernetes-group-version-kind'] as Record<string, string> | undefined;
  const action = operation['x-kubernetes-action'] as string | undefined;
  const what = kind === undefined ? '' : ` ${kind['group']}/${kind['version']}/${kind['kind']}`;
  return `${action ?? ''}${what}`;
}

export function outlineOf(document: Json): Outline {
  const { paths, definitions } = document as Record<string, Record<string, Json>>;
  const byName = <T>(all: Record<string, T> = {}): [string, T][] =>
    Object.entries(all).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    paths: Object.fromEntries(
      byName(paths).map(([path, item]) => [
        path,
        Object.fromEntries(
          methods
            .filter((method) => item[method] !== undefined)
            .map((method) => [method, said(item[method] as Json)]),
        ),
      ]),
    ) as Outline['paths'],
    definitions: Object.fromEntries(
      byName(definitions).map(([name, one]) => {
        const required = new Set((one['required'] ?? []) as string[]);
        const fields = Object.keys((one['properties'] ?? {}) as Json).toSorted();
        return [name, fields.map((field) => (required.has(field) ? `${field}*` : field))];
      }),
    ) as Outline['definitions'],
  };
}

/** What answers are called is said by HTTP; other descriptions are others' sentences. */
const phrases: readonly unknown[] = ['OK', 'Created', 'Accepted', 'Unauthorized'];

/** Without descriptions, and in one order. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(
    ([key, one]) => key !== 'description' || typeof one !== 'string' || phrases.includes(one),
  );
  const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([key, one]) => [key, plain(one)]));
}

const hashOf = (value: unknown): string =>
  createHash('sha256')
    .update(JSON.stringify(plain(value)))
    .digest('hex')
    .slice(0, 10);

/** Of each type, or anything else that has a name, what stands for all that is said of it. */
export function typeHashes(types: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(types).map(([name, one]) => [name, hashOf(one)]));
}

/** Of each path, for each of its methods and the parameters of all of them, what stands for all that is said. */
export function pathHashes(document: Json): Record<string, Record<string, string>> {
  const { paths } = document as { readonly paths: Readonly<Record<string, Json>> };
  return Object.fromEntries(Object.entries(paths).map(([path, item]) => [path, typeHashes(item)]));
}

/** Of a document as a whole: what it says beside the paths and types that others say as well, and which those are. */
export function documentHash(document: Json): string {
  const { paths, definitions, components, ...head } = document as Record<string, Json>;
  const { schemas, ...others } = (components ?? {}) as Record<string, Json>;
  const named = [definitions ?? {}, schemas ?? {}, paths ?? {}].map((one) => typeHashes(one));
  return hashOf({ head, others, named });
}
