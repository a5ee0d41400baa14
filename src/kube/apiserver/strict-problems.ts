// Fields that nobody knows and keys that stand twice, in the order and the words in which upstream tells them: its
// decoder meets both as they stand in the text, but of custom objects and patches first one kind, then the other.
import { placesOf } from '#kube/meta/pruning.ts';
import type { Schema } from '#kube/meta/schema.ts';

export interface FoundFields {
  /** Paths of fields that the schema does not have. */
  readonly unknown: readonly string[];
  /** Paths of keys that stand twice, or one problem of a YAML text in its decoder's words. */
  readonly duplicates: readonly string[];
}

const unknownField = (path: string): string => `unknown field "${path}"`;
const duplicateField = (path: string): string => `duplicate field "${path}"`;
const YAML = 'yaml: ';

const isBelow = (path: string, other: string): boolean =>
  path === other || path.startsWith(`${other}.`) || path.startsWith(`${other}[`);

const sortedPaths = (paths: readonly string[]): string[] =>
  paths.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));

/** Of a whole object of a type. */
export function typedProblems({ unknown, duplicates }: FoundFields): string[] {
  if (duplicates.length === 0) return unknown.map(unknownField);
  const places = placesOf(duplicates);
  // YAML becomes JSON first, whose keys are sorted.
  if (places === undefined) return [...duplicates, ...sortedPaths(unknown).map(unknownField)];
  const said = [
    ...unknown.map((path) => ({ text: unknownField(path), at: places.first.get(path) ?? 0 })),
    ...duplicates.flatMap((path, index) =>
      // What is not known is not looked into.
      unknown.some((one) => isBelow(path, one))
        ? []
        : [{ text: duplicateField(path), at: places.again[index] ?? 0 }],
    ),
  ];
  return [...new Set(said.toSorted((a, b) => a.at - b.at).map(({ text }) => text))];
}

/** Of a whole custom object: its metadata is looked at first, that of objects inside it last. */
export function customProblems(schema: Schema, { unknown, duplicates }: FoundFields): string[] {
  const rank = (path: string): number =>
    path.startsWith('metadata.') ? 0 : isOfEmbedded(schema, path) ? 2 : 1;
  const sorted = sortedPaths(unknown).toSorted((a, b) => rank(a) - rank(b));
  const again = duplicates.map((one) => (one.startsWith(YAML) ? one : duplicateField(one)));
  return [...new Set([...again, ...sorted.map(unknownField)])];
}

function isOfEmbedded(schema: Schema, path: string): boolean {
  let at: Schema | undefined = schema;
  for (const key of path.match(/[^.[\]]+/g) ?? []) {
    if (at?.embeddedResource === true && key === 'metadata') return true;
    at = at?.items ?? at?.properties?.[key] ?? at?.values;
  }
  return false;
}

/** Of a patch, or of its operations, and of what it makes of the object. */
export function patchProblems(
  { unknown, duplicates }: FoundFields,
  operations: readonly unknown[] | undefined,
): string[] {
  const made = sortedPaths(unknown).map(unknownField);
  if (operations === undefined) return [...new Set([...duplicates.map(duplicateField), ...made])];
  const own = operations.flatMap((one, index) => {
    const keys = typeof one === 'object' && one !== null ? Object.keys(one) : [];
    return [
      ...keys.filter((key) => !OPERATION.has(key)).map((key) => unknownField(`[${index}].${key}`)),
      ...duplicates
        .filter((path) => keys.some((key) => OPERATION.has(key) && path === `[${index}].${key}`))
        .map(duplicateField),
    ];
  });
  return [...new Set([...own.map((one) => `json patch ${one}`), ...made])];
}

const OPERATION = new Set(['op', 'path', 'from', 'value']);

const LONG = 'error converting YAML to JSON: ';
const SHORT = 'yaml: unmarshal errors:\n';

/** Each line of what a YAML decoder says is a warning of its own. */
export function warningsOfProblem(problem: string): string[] {
  const text = problem.startsWith(LONG) ? problem.slice(LONG.length) : problem;
  if (!text.startsWith(SHORT)) return [problem];
  return text
    .slice(SHORT.length)
    .split('\n')
    .map((line) => line.trim());
}
