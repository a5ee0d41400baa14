// Protobuf (proto2) and the v1 JSON mapping for messages described by compact descriptor lines.
// Encoders and decoders are compiled per message on first use, so that start-up and memory are paid
// only for the messages that a process really speaks (docs/decisions/0004).
import { Fault } from '#base/fault.ts';

export type Kind = 's' | 'b' | 'B' | 'i' | 'l' | 'u' | 'L' | 'd' | 'f' | 'enum' | 'message';

export interface FieldDescriptor {
  readonly name: string;
  readonly tag: number;
  readonly label: '!' | ' ' | '+' | '%';
  readonly kind: Kind;
  /** Message or enum name. */
  readonly type: string;
  /** What an unset optional field reads as, where the .proto says so. */
  readonly fallback: string | number | boolean | undefined;
}

export interface EnumDescriptor {
  readonly byName: ReadonlyMap<string, number>;
  readonly byNumber: ReadonlyMap<number, string>;
}

const FIELD = /^(\w+)([! +%])(\d+):(=?)(\w+)(?:=(.+))?$/;
const primitiveCodes = new Set(['s', 'b', 'B', 'i', 'l', 'u', 'L', 'd', 'f']);

function parseFields(line: string): FieldDescriptor[] {
  if (line === '') return [];
  return line.split(',').map((text) => {
    const match = FIELD.exec(text);
    if (match === null) throw new Error(`Bad descriptor: ${text}`);
    const [, name = '', label = ' ', tag = '0', isEnum = '', type = '', written] = match;
    const kind = isEnum === '=' ? 'enum' : primitiveCodes.has(type) ? (type as Kind) : 'message';
    const fallback = written === undefined ? undefined : fallbackOf(kind, written);
    return {
      name,
      label: label as FieldDescriptor['label'],
      tag: Number(tag),
      kind,
      type,
      fallback,
    };
  });
}

function fallbackOf(kind: Kind, written: string): string | number | boolean {
  if (kind === 'B') return written === 'true';
  return kind === 's' || kind === 'enum' ? written : Number(written);
}

/** All messages of one descriptor table. */
export class Schema {
  readonly #lines: Readonly<Record<string, string>>;
  readonly #fields = new Map<string, readonly FieldDescriptor[]>();
  readonly #enums = new Map<string, EnumDescriptor>();

  constructor(lines: Readonly<Record<string, string>>) {
    this.#lines = lines;
  }

  fields(message: string): readonly FieldDescriptor[] {
    let found = this.#fields.get(message);
    if (found === undefined) {
      const line = this.#lines[message];
      if (line === undefined) throw new Error(`No message ${message}`);
      found = parseFields(line);
      this.#fields.set(message, found);
    }
    return found;
  }

  enumeration(name: string): EnumDescriptor {
    let found = this.#enums.get(name);
    if (found === undefined) {
      const pairs = (this.#lines[name] ?? '=').slice(1).split(' ');
      const entries = pairs.map((pair): [string, number] => {
        const [key = '', value = '0'] = pair.split('=');
        return [key, Number(value)];
      });
      found = { byName: new Map(entries), byNumber: new Map(entries.map(([k, v]) => [v, k])) };
      this.#enums.set(name, found);
    }
    return found;
  }
}

export function protobufFault(message: string, why: string): Fault {
  return new Fault({ code: 'bad-protobuf', message, why }, `Cannot parse ${message}: ${why}`);
}

export function jsonFault(message: string, path: string, why: string): Fault {
  const where = path === '' ? '' : ` '${path}'`;
  return new Fault(
    { code: 'bad-json', message, path, why },
    `Cannot parse ${message}${where}: ${why}`,
  );
}
