// Lists and maps that a client sent empty. Go has them until an object is written, where they are left out: rules
// and messages tell them from what was never there, so they are put back while an object is judged.
import { cloneJson } from '#base/clone.ts';

type Holder = Record<string, unknown>;

/** A list or map with nothing in it: its keys and indices from the object on. */
export interface Emptied {
  readonly path: readonly string[];
  readonly value: unknown;
}

/** Where `dropped` were in `object`: `holder` is what each was in. */
export function emptiedIn(
  object: unknown,
  dropped: readonly (readonly [holder: object, key: string, value: unknown])[],
): Emptied[] {
  const paths = new Map<object, readonly string[]>();
  const visit = (value: unknown, path: readonly string[]): void => {
    if (typeof value !== 'object' || value === null) return;
    paths.set(value, path);
    for (const [key, one] of Object.entries(value)) visit(one, [...path, key]);
  };
  visit(object, []);
  return dropped.flatMap(([holder, key, value]) => {
    const path = paths.get(holder);
    return path === undefined ? [] : [{ path: [...path, key], value }];
  });
}

function holderOf(object: object, path: readonly string[]): Holder | undefined {
  let holder: unknown = object;
  for (const key of path.slice(0, -1)) holder = (holder as Holder | null | undefined)?.[key];
  return typeof holder === 'object' && holder !== null ? (holder as Holder) : undefined;
}

/**
 * What `judge` says of the object with them in it; it is afterwards as it was, and as `judge` changed it. Where `old`
 * has nothing, nothing is put: to Go the two are alike.
 */
export function withEmptied<T>(
  object: object,
  all: readonly Emptied[] | undefined,
  judge: () => T,
  old?: object,
): T {
  if (all === undefined || all.length === 0) return judge();
  for (const { path, value } of all) {
    const key = path.at(-1) ?? '';
    if (old !== undefined && holderOf(old, path)?.[key] === undefined) continue;
    const holder = holderOf(object, path);
    if (holder !== undefined) holder[key] ??= cloneJson(value);
  }
  try {
    return judge();
  } finally {
    for (const { path } of all) {
      const holder = holderOf(object, path);
      const key = path.at(-1) ?? '';
      const left = holder?.[key];
      const isEmpty = typeof left === 'object' && left !== null && Object.keys(left).length === 0;
      if (isEmpty) delete holder?.[key];
    }
  }
}
