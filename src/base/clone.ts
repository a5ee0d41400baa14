// Copies of decoded JSON, for whoever changes what others hold; several times as fast as structuredClone(), which
// writes everything out and reads it back.

/** Shares nothing but strings with what it was made of. Trees only: of plain objects, lists and scalars. */
export function cloneJson<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  return (Array.isArray(value) ? value.map(cloneJson) : cloneObject(value)) as T;
}

/** Spread first: it also makes a property of its own of a key like `__proto__`. */
function cloneObject(value: object): object {
  const copy: Record<string, unknown> = { ...value };
  for (const key in copy) {
    const inner = copy[key];
    if (typeof inner === 'object' && inner !== null) copy[key] = cloneJson(inner);
  }
  return copy;
}
