// Empty collections that records share until something is put into a collection of their own: most agents
// have no operations, no executors, nothing that waits, and there are very many agents.
class EmptyMap<K, V> extends Map<K, V> {
  override set(): this {
    throw new Error('What is shared by all stays empty');
  }
}

class EmptySet<T> extends Set<T> {
  override add(): this {
    throw new Error('What is shared by all stays empty');
  }
}

const noEntries = new EmptyMap<never, never>();
const noItems = new EmptySet<never>();

export function emptyMap<K, V>(): Map<K, V> {
  return noEntries as unknown as Map<K, V>;
}

export function emptySet<T>(): Set<T> {
  return noItems as unknown as Set<T>;
}

/** One that can be put into: the same, or a new one for the one shared by all. */
export function mapToFill<K, V>(map: Map<K, V>): Map<K, V> {
  return map === (noEntries as unknown) ? new Map<K, V>() : map;
}

export function setToFill<T>(set: Set<T>): Set<T> {
  return set === (noItems as unknown) ? new Set<T>() : set;
}
