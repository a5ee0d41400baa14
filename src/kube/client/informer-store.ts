// The local copy of a list of objects with its indices. Told what the API server says, it returns what
// that means to those who follow: additions, updates, deletions.
import type { KubeObject } from '#kube/meta/object.ts';

export type Change<T extends KubeObject = KubeObject> =
  | { readonly kind: 'add'; readonly object: T }
  | { readonly kind: 'update'; readonly old: T; readonly object: T }
  /** `isFinalStateUnknown`: its end was missed, and the object is the last state that was seen. */
  | { readonly kind: 'delete'; readonly object: T; readonly isFinalStateUnknown: boolean };

/** Index name -> the values under which an object is found. */
export type Indexers<T extends KubeObject = KubeObject> = Readonly<
  Record<string, (object: T) => readonly string[]>
>;

/** `namespace/name`, or `name` for what is in no namespace. */
export function keyOf(object: { readonly metadata: KubeObject['metadata'] }): string {
  const { namespace, name = '' } = object.metadata;
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

export function splitKey(key: string): { namespace: string | undefined; name: string } {
  const slash = key.indexOf('/');
  return slash < 0
    ? { namespace: undefined, name: key }
    : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

const none: readonly never[] = [];

export class InformerStore<T extends KubeObject = KubeObject> {
  readonly #objects = new Map<string, T>();
  readonly #indexers: Indexers<T>;
  readonly #indices = new Map<string, Map<string, Set<string>>>();

  constructor(indexers: Indexers<T> = {}) {
    this.#indexers = { ...indexers };
    for (const name of Object.keys(indexers)) this.#indices.set(name, new Map());
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  byIndex(name: string, value: string): readonly T[] {
    const keys = this.#indices.get(name)?.get(value);
    if (keys === undefined) return none;
    const found: T[] = [];
    for (const key of keys) {
      const object = this.#objects.get(key);
      if (object !== undefined) found.push(object);
    }
    return found;
  }

  addIndexers(indexers: Indexers<T>): void {
    for (const [name, values] of Object.entries(indexers)) {
      if (this.#indices.has(name)) continue;
      (this.#indexers as Record<string, (object: T) => readonly string[]>)[name] = values;
      const index = new Map<string, Set<string>>();
      this.#indices.set(name, index);
      for (const [key, object] of this.#objects) addTo(index, values(object), key);
    }
  }

  /** The whole list is this now. */
  replace(objects: readonly T[]): Change<T>[] {
    const changes: Change<T>[] = [];
    const gone = new Set(this.#objects.keys());
    for (const object of objects) {
      gone.delete(keyOf(object));
      changes.push(...this.put(object));
    }
    for (const key of gone) {
      const object = this.#objects.get(key);
      if (object === undefined) continue;
      this.#remove(key, object);
      changes.push({ kind: 'delete', object, isFinalStateUnknown: true });
    }
    return changes;
  }

  /** Nothing when it is known in this version; delete and add when it is another of that name. */
  put(object: T): Change<T>[] {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    const isOther = old !== undefined && old.metadata.uid !== object.metadata.uid;
    if (old !== undefined) {
      if (!isOther && old.metadata.resourceVersion === object.metadata.resourceVersion) return [];
      this.#remove(key, old);
    }
    this.#objects.set(key, object);
    for (const [name, index] of this.#indices) {
      addTo(index, this.#indexers[name]?.(object) ?? none, key);
    }
    if (old === undefined) return [{ kind: 'add', object }];
    if (!isOther) return [{ kind: 'update', old, object }];
    return [
      { kind: 'delete', object: old, isFinalStateUnknown: true },
      { kind: 'add', object },
    ];
  }

  delete(object: T): Change<T>[] {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    if (old === undefined) return [];
    this.#remove(key, old);
    const isOther = old.metadata.uid !== object.metadata.uid;
    return [{ kind: 'delete', object: isOther ? old : object, isFinalStateUnknown: isOther }];
  }

  #remove(key: string, object: T): void {
    this.#objects.delete(key);
    for (const [name, index] of this.#indices) {
      for (const value of this.#indexers[name]?.(object) ?? none) {
        const keys = index.get(value);
        keys?.delete(key);
        if (keys?.size === 0) index.delete(value);
      }
    }
  }
}

function addTo(index: Map<string, Set<string>>, values: readonly string[], key: string): void {
  for (const value of values) {
    const keys = index.get(value);
    if (keys === undefined) index.set(value, new Set([key]));
    else keys.add(key);
  }
}
