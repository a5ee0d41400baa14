// OpenAPI documents as the protobuf messages of gnostic (its models v0.7), for clients that ask for them: what
// the shapes of the messages are is in kube/openapi/gnostic-v2.ts and gnostic-v3.ts.
import { Writer } from '#codec/protobuf-writer.ts';
import { yamlText } from './openapi-yaml.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * `s`, `b`, `i`, `d`: text, boolean, integer, double. `any`: whatever it is, as YAML. Else the name of a shape. With a
 * star: a list of it.
 */
type FieldType = string;

export type Shape =
  /** An object; `fields`: `name number:type` with commas, in the order of the numbers. */
  | { readonly fields: string; readonly extension?: number }
  /** An object whose keys are anybody's: each is a pair of name and value. */
  | { readonly entries: readonly [number: number, type: FieldType]; readonly extension?: number }
  /** A list, or one that stands for a list of one. */
  | { readonly list: readonly [number: number, type: FieldType] }
  /** One of several; undefined: none of them. */
  | { readonly pick: (value: unknown) => readonly [number: number, type: FieldType] | undefined };

export type Shapes = Readonly<Record<string, Shape>>;

/** The message of a shape, or a reference to one. */
export const orReference = (shape: string): Shape => ({
  pick: (value) =>
    typeof value === 'object' && value !== null && '$ref' in value ? [2, 'Reference'] : [1, shape],
});

interface Field {
  readonly name: string;
  readonly number: number;
  readonly type: FieldType;
  readonly isList: boolean;
}

const wireTypes: Readonly<Record<string, number>> = { b: 0, i: 0, d: 1 };
const scalars = new Set(['s', 'b', 'i', 'd']);

function fieldsOf(text: string): Field[] {
  return text.split(',').map((one) => {
    const [, name = '', number = '', type = '', star] =
      /^\s*(\S+) (\d+):(\w+)(\*?)$/.exec(one) ?? [];
    return { name, number: Number(number), type, isList: star === '*' };
  });
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isExtension = (name: string): boolean => name.startsWith('x-');

export class DocumentEncoder {
  readonly #shapes: Shapes;
  readonly #fields = new Map<string, readonly Field[]>();
  readonly #writer = new Writer();

  constructor(shapes: Shapes) {
    this.#shapes = shapes;
    for (const [name, shape] of Object.entries(shapes)) {
      if ('fields' in shape) this.#fields.set(name, fieldsOf(shape.fields));
    }
  }

  /** The bytes of the shape `Document`. What no shape has a field for is left out. */
  encode(document: Json): Buffer {
    this.#writer.reset();
    this.#message('Document', document);
    return Buffer.from(this.#writer.take());
  }

  /** One entry of a shape with entries, with its tag. */
  encodeEntry(type: string, name: string, value: unknown): Uint8Array {
    const shape = this.#shapes[type];
    if (shape === undefined || !('entries' in shape)) throw new Error(`${type} has no entries`);
    this.#writer.reset();
    const [number, of] = shape.entries;
    this.#pair(number, of, [name, value]);
    return this.#writer.take();
  }

  #message(type: string, value: unknown): void {
    const shape = this.#shapes[type];
    if (shape === undefined) throw new Error(`No shape ${type}`);
    if ('list' in shape) {
      const [number, item] = shape.list;
      for (const one of Array.isArray(value) ? value : [value]) this.#field(number, item, one);
    } else if ('pick' in shape) {
      const picked = shape.pick(value);
      if (picked !== undefined) this.#field(...picked, value);
    } else if (isObject(value)) {
      this.#object(type, shape, value);
    }
  }

  #object(type: string, shape: Extract<Shape, { readonly extension?: number }>, value: Json): void {
    const { extension = 0 } = shape;
    const isFirst = 'entries' in shape && extension < shape.entries[0];
    if (isFirst) this.#extensions(extension, value);
    for (const { name, number, type: of, isList } of this.#fields.get(type) ?? []) {
      const one = value[name];
      if (one === undefined) continue;
      if (isList) for (const item of one as unknown[]) this.#field(number, of, item);
      else if (!isZero(of, one)) this.#field(number, of, one);
    }
    if ('entries' in shape) {
      const [number, of] = shape.entries;
      const fields = this.#fields.get(type);
      for (const [name, one] of Object.entries(value)) {
        if (extension > 0 && isExtension(name)) continue;
        if (fields?.some((field) => field.name === name) === true) continue;
        this.#pair(number, of, [name, one]);
      }
    }
    if (!isFirst) this.#extensions(extension, value);
  }

  #extensions(number: number, value: Json): void {
    if (number === 0) return;
    for (const entry of Object.entries(value)) {
      if (isExtension(entry[0])) this.#pair(number, 'any', entry);
    }
  }

  #pair(number: number, type: FieldType, [name, value]: readonly [string, unknown]): void {
    const writer = this.#writer;
    writer.tag((number << 3) | 2);
    const start = writer.open();
    if (name !== '') this.#field(1, 's', name);
    this.#field(2, type, value);
    writer.close(start);
  }

  #field(number: number, type: FieldType, value: unknown): void {
    const writer = this.#writer;
    writer.tag((number << 3) | (wireTypes[type] ?? 2));
    if (type === 's') return writer.s(String(value));
    if (type === 'b') return writer.B(value === true);
    if (type === 'i') return writer.l(Number(value));
    if (type === 'd') return writer.d(Number(value));
    const start = writer.open();
    if (type === 'any') this.#field(2, 's', yamlText(value));
    else this.#message(type, value);
    writer.close(start);
  }
}

/** What is not on the wire. */
const isZero = (type: FieldType, value: unknown): boolean =>
  scalars.has(type) && (value === '' || value === false || value === 0);
