// Lists of schemas that say more than an order: sets, and lists whose items have keys. They are equal to others, and
// added to others, by that (k8s.io/apiserver, cel/common/valuesunstructured.go).

/** What is made of one of these is a plain list. */
abstract class SchemaList extends Array<unknown> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  /** By which items are told apart. */
  abstract keyOf(item: unknown): string;
  protected abstract empty(): SchemaList;

  /** Without what is there before; of items with keys the later one is taken. */
  joined(other: readonly unknown[]): SchemaList {
    const items = new Map<string, unknown>();
    for (const one of [...this, ...other]) items.set(this.keyOf(one), one);
    const made = this.empty();
    for (const one of items.values()) made.push(one);
    return made;
  }

  /** In whatever order; `isSame` compares items of one key. */
  isLike(other: readonly unknown[], isSame: (a: unknown, b: unknown) => boolean): boolean {
    if (this.length !== other.length) return false;
    const own = new Map([...this].map((one) => [this.keyOf(one), one] as const));
    const seen = new Set<string>();
    for (const one of other) {
      const key = this.keyOf(one);
      if (!own.has(key) || !isSame(own.get(key), one)) return false;
      seen.add(key);
    }
    return seen.size === own.size;
  }
}

const primitiveKey = (value: unknown): string => `${typeof value}:${String(value)}`;

export class SetList extends SchemaList {
  override keyOf(item: unknown): string {
    return primitiveKey(item);
  }

  protected override empty(): SetList {
    return new SetList();
  }
}

export class KeyedList extends SchemaList {
  readonly #keys: readonly string[];

  constructor(keys: readonly string[]) {
    super();
    this.#keys = keys;
  }

  override keyOf(item: unknown): string {
    const fields = item instanceof Map ? (item as Map<string, unknown>) : new Map();
    return this.#keys.map((key) => primitiveKey(fields.get(key))).join('\n');
  }

  protected override empty(): KeyedList {
    return new KeyedList(this.#keys);
  }
}

export const isSchemaList = (value: unknown): value is SetList | KeyedList =>
  value instanceof SchemaList;
