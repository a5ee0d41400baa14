// What the transcoder (json-transcoder.ts) has to know of each message, made out of the Kubernetes protobuf table once
// it is needed: names as bytes, what is on the wire of a field that the JSON does not have, and what it read last.
import { fieldsOf, keyOf, scalars, wireType, type MessageField } from './message-fields.ts';
import { specialMessages } from './special-messages.ts';

const META = 'apimachinery_pkg_apis_meta_v1';
/** Of one message; JSONSchemaProps has most, 44. */
export const FIELDS_MAX = 64;
export const OBJECT_META = `${META}_ObjectMeta`;
const QUANTITY = 'apimachinery_pkg_api_resource_Quantity';

/**
 * How a value is read: `scalar` of the table's types, `text` (a message of nothing but a text), `time`, `raw` (a message
 * of nothing but JSON), `message` by its own plan, `embedded` (its fields are its parent's in JSON), `other` by the codec
 * of objects; `unsent` is in JSON only.
 */
export type ValueForm =
  | 'scalar'
  | 'text'
  | 'time'
  | 'raw'
  | 'message'
  | 'embedded'
  | 'other'
  | 'unsent';

/** A value that was read, and the field on the wire that came of it; both begin a buffer that is used again. */
export interface Memo {
  json: Buffer;
  jsonSize: number;
  bytes: Buffer;
  bytesSize: number;
}

export interface FieldPlan {
  /** Its number among all of the message, those of embedded ones included. */
  readonly index: number;
  readonly name: Buffer;
  /** '+' repeated, '%' a map from texts, or one value. */
  readonly label: string;
  readonly type: string;
  readonly form: ValueForm;
  /** Before the value on the wire. */
  readonly key: Buffer;
  /** Before the value in an entry of a map. */
  readonly entryKey: number;
  /** On the wire when the JSON does not have it. */
  readonly absent: Buffer;
  /** Of an embedded message. */
  readonly inner: readonly FieldPlan[];
  /** The field that came after this one in the JSON that was read last. */
  next: FieldPlan | undefined;
  readonly memo: Memo;
  /** How many values in a row were not the one before. */
  misses: number;
}

export interface MessagePlan {
  /** In the order of their tags, as on the wire. */
  readonly fields: readonly FieldPlan[];
  readonly byName: ReadonlyMap<string, FieldPlan>;
  first: FieldPlan | undefined;
}

/** What a message without anything set is on the wire. */
export type EmptyMessage = (message: string) => Uint8Array;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return [...bytes, rest];
}

const nothing = Buffer.alloc(0);

const newMemo = (): Memo => ({ json: nothing, jsonSize: 0, bytes: nothing, bytesSize: 0 });

/** Embedded by a pointer, and maps of more than texts and bytes. */
function isOdd({ label, type }: MessageField): boolean {
  const isOddEntry = label === '%' && type !== 's' && type !== 'b' && type !== QUANTITY;
  return label === '^' || isOddEntry;
}

/** Of objects in JSON; on the wire it is around the message, if anywhere. */
function unsentField(name: string): FieldPlan {
  const empty = { key: nothing, entryKey: 0, absent: nothing, inner: [] };
  const lately = { next: undefined, memo: newMemo(), misses: 0 };
  const form = 'unsent' as const;
  return { index: -1, name: Buffer.from(name), form, label: ' ', type: 's', ...empty, ...lately };
}

const flat = (fields: readonly FieldPlan[]): FieldPlan[] =>
  fields.flatMap((field) => (field.form === 'embedded' ? flat(field.inner) : [field]));

export class TranscoderPlans {
  readonly #lines: Readonly<Record<string, string>>;
  readonly #empty: EmptyMessage;
  readonly #plans = new Map<string, MessagePlan | undefined>();

  constructor(lines: Readonly<Record<string, string>>, empty: EmptyMessage) {
    this.#lines = lines;
    this.#empty = empty;
  }

  /** undefined: there is none; the message is left to the codec of objects. */
  of(message: string): MessagePlan | undefined {
    if (this.#plans.has(message)) return this.#plans.get(message);
    const plan = this.#make(message);
    this.#plans.set(message, plan);
    return plan;
  }

  #make(message: string): MessagePlan | undefined {
    if (!this.#hasPlan(message)) return undefined;
    const fields = this.#fields(message, { next: 0 });
    const known = flat(fields);
    const unsent = ['kind', 'apiVersion'].filter(
      (one) => !known.some(({ name }) => name.toString() === one),
    );
    const all = [...unsent.map(unsentField), ...known];
    const byName = new Map(all.map((field) => [field.name.toString('latin1'), field]));
    return { fields, byName, first: all[0] };
  }

  #hasPlan(message: string): boolean {
    const line = this.#lines[message];
    if (line === undefined || specialMessages[message] !== undefined) return false;
    return !fieldsOf(line).some(isOdd) && this.#count(message) <= FIELDS_MAX;
  }

  /** Infinity: it embeds what has no plan. */
  #count(message: string): number {
    return fieldsOf(this.#lines[message] ?? '').reduce((sum, { label, type }) => {
      if (label !== '~') return sum + 1;
      return sum + (this.#hasPlan(type) ? this.#count(type) : Infinity);
    }, 0);
  }

  #fields(message: string, count: { next: number }): FieldPlan[] {
    return fieldsOf(this.#lines[message] ?? '').map((field) => {
      const { name, label, type } = field;
      const key = Buffer.from(varint(keyOf(field)));
      const isEmbedded = label === '~';
      return {
        index: isEmbedded ? -1 : count.next++,
        name: Buffer.from(name),
        label,
        type,
        form: isEmbedded ? 'embedded' : this.#formOf(type),
        key,
        entryKey: (2 << 3) | wireType(type),
        absent: this.#absent(field, key),
        inner: isEmbedded ? this.#fields(type, count) : [],
        next: undefined,
        memo: newMemo(),
        misses: 0,
      };
    });
  }

  #formOf(type: string): ValueForm {
    if (scalars.has(type)) return 'scalar';
    if (type === QUANTITY) return 'text';
    if (type === `${META}_Time`) return 'time';
    if (type === `${META}_FieldsV1`) return 'raw';
    return this.#hasPlan(type) ? 'message' : 'other';
  }

  /** What is no pointer in Go is always there, but for bytes. */
  #absent({ label, type }: MessageField, key: Buffer): Buffer {
    if (label !== ' ' || type === 'b') return Buffer.alloc(0);
    if (type === 'd') return Buffer.concat([key, Buffer.alloc(8)]);
    if (scalars.has(type)) return Buffer.concat([key, Buffer.from([0])]);
    const empty = this.#empty(type);
    return Buffer.concat([key, Buffer.from(varint(empty.length)), empty]);
  }
}
