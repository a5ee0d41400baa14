// Lists and maps that are written out: elements may be left out, and keys of one worth are one key.
import { CelFailure, Optional, Uint } from './core-values.ts';
import { typeOfValue } from './values.ts';

export function badOptional(what: string, name: unknown, value: unknown): CelFailure {
  const type = typeOfValue(value).name;
  return new CelFailure(
    `cannot initialize optional ${what} '${String(name)}' from non-optional value ${type}`,
  );
}

export function makeList(values: readonly unknown[], optional: ReadonlySet<number>): unknown[] {
  if (optional.size === 0) return [...values];
  return values.flatMap((one, i) => {
    if (!optional.has(i)) return [one];
    if (!(one instanceof Optional)) {
      const type = typeOfValue(one).name;
      throw new CelFailure(
        `cannot initialize optional list element from non-optional value ${type}`,
      );
    }
    return one.hasValue ? [one.value] : [];
  });
}

/** Numbers of one worth are one key. */
export function put(map: Map<unknown, unknown>, key: unknown, value: unknown): void {
  if (key instanceof Uint) {
    for (const one of map.keys()) {
      if (one instanceof Uint && one.value === key.value) {
        map.set(one, value);
        return;
      }
    }
  }
  map.set(key, value);
}
