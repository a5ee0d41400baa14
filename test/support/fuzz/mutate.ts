// Seeded changes to what is valid: of JSON values by their structure, of protobuf and text by their
// bytes, of heads of HTTP requests by their lines.

/** Uniform in [0, 1), the same for the same seed (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(part: number): boolean {
    return this.next() < part;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const strings = [
  '',
  '*',
  '/',
  '.',
  '..',
  'a/../b',
  'a//b',
  '-',
  ' ',
  '\u0000',
  'a\u0000b',
  '\u001b[31m',
  '\ud800',
  'é\u0301😀',
  '__proto__',
  'constructor',
  'toString',
  '%00%ff%zz',
  '<script>',
  'NaN',
  'Infinity',
  '-1',
  '127.0.0.1:99999',
  'x'.repeat(300),
  'y'.repeat(70_000),
];
const numbers = [
  0,
  -0,
  -1,
  0.1,
  1e-9,
  1e308,
  -1e308,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  2 ** 53 + 2,
  2 ** 63,
  2 ** 64,
  65_536,
  1_000_000_007,
];

function anything(dice: Dice): unknown {
  switch (dice.below(8)) {
    case 0:
      return dice.pick(numbers);
    case 1:
      return dice.pick(strings);
    case 2:
      return dice.chance(0.5);
    case 3:
      return null;
    case 4:
      return [];
    case 5:
      return {};
    case 6:
      return [[], {}, dice.pick(strings)];
    default:
      return nested(dice.pick([3, 50, 400]), dice.chance(0.5));
  }
}

function nested(depth: number, isList: boolean): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = isList ? [value] : { parent: value, value: 'x' };
  return value;
}

function otherScalar(value: unknown, dice: Dice): unknown {
  if (dice.chance(0.3)) return anything(dice);
  if (typeof value === 'number') return dice.pick(numbers);
  if (typeof value === 'boolean') return !value;
  if (typeof value !== 'string') return anything(dice);
  if (dice.chance(0.5)) return dice.pick(strings);
  const at = dice.below(value.length + 1);
  return value.slice(0, at) + dice.pick(strings) + value.slice(at);
}

/** One place of the value is changed. `foreign`: fields of other messages to put in. */
export function mutateJson(value: unknown, dice: Dice, foreign: Json = {}): unknown {
  if (Array.isArray(value)) return mutateList(value, dice, foreign);
  if (!isObject(value)) return otherScalar(value, dice);
  const names = Object.keys(value);
  if (names.length === 0 || dice.chance(0.1)) return anything(dice);
  const name = dice.pick(names);
  switch (dice.below(10)) {
    case 0: {
      const { [name]: _gone, ...rest } = value;
      return rest;
    }
    case 1:
      return { ...value, [dice.pick(strings)]: value[name] };
    case 2:
      return { ...value, [name]: anything(dice) };
    case 3:
      return { ...value, [name]: [value[name], value[name]] };
    case 4: {
      const [other] =
        Object.keys(foreign).length === 0 ? [name] : [dice.pick(Object.keys(foreign))];
      return { ...value, [other]: foreign[other] ?? value[name] };
    }
    default:
      return { ...value, [name]: mutateJson(value[name], dice, foreign) };
  }
}

function mutateList(list: readonly unknown[], dice: Dice, foreign: Json): unknown {
  if (list.length === 0) return [anything(dice)];
  const at = dice.below(list.length);
  switch (dice.below(6)) {
    case 0:
      return list.toSpliced(at, 1);
    case 1:
      return [...list, list[at]];
    case 2:
      return Array.from({ length: dice.pick([10, 300]) }, () => list[at]);
    case 3:
      return anything(dice);
    default:
      return list.with(at, mutateJson(list[at], dice, foreign));
  }
}

const hostileBytes = [
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0xff, 0xff, 0xff, 0xff, 0x7f],
  [0x00],
  [0x0b],
  [0x0c],
  [0x80, 0x80, 0x80, 0x80, 0x00],
  [0xc0, 0x80],
];

/** Bits turned, bytes left out, doubled, cut off and put in: lengths and tags among them. */
export function mutateBytes(bytes: Uint8Array, dice: Dice): Buffer {
  let out = Buffer.from(bytes);
  for (let i = 0; i <= dice.below(4); i++) {
    const at = dice.below(out.length + 1);
    switch (dice.below(6)) {
      case 0:
        if (at < out.length) out[at] = (out[at] ?? 0) ^ (1 << dice.below(8));
        break;
      case 1:
        out = out.subarray(0, at);
        break;
      case 2:
        out = Buffer.concat([out.subarray(0, at), out.subarray(at + dice.below(8))]);
        break;
      case 3:
        out = Buffer.concat([
          out.subarray(0, at),
          Buffer.from(dice.pick(hostileBytes)),
          out.subarray(at),
        ]);
        break;
      case 4: {
        const part = out.subarray(at, at + 1 + dice.below(40));
        out = Buffer.concat([out.subarray(0, at), part, part, out.subarray(at)]);
        break;
      }
      default:
        if (at < out.length) out[at] = dice.below(256);
    }
  }
  return out;
}

const lines = [
  'Content-Length: -1',
  'Content-Length: 99999999999999999999',
  'Content-Length: 5',
  'Content-Length: x',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Content-Encoding: gzip',
  'Expect: 100-continue',
  'Upgrade: websocket',
  'Connection: close',
  'Accept: ',
  'Accept: ;;q=,',
  'Accept: application/x-protobuf;q=0, */*;q=x',
  'Accept-Encoding: gzip;q=0.0',
  'Content-Type: application/recordio',
  'Content-Type: application/json; charset=latin1',
  'Content-Type: ',
  'Authorization: Basic !!!',
  'Mesos-Stream-Id: x',
  'Libprocess-From: ',
  'Libprocess-From: x',
  'Libprocess-From: @',
  'Libprocess-From: slave(1)@127.0.0.1:99999',
  'Libprocess-From: slave(1)@127.0.0.1:0',
  'Libprocess-From: slave(1)@[::1]:5051',
  'Libprocess-From: slave(1)@no such host:5051',
  'User-Agent: libprocess/',
  'User-Agent: libprocess/slave(1)@127.0.0.1:-1',
  'X: ' + 'h'.repeat(9_000),
  'X: ' + 'h'.repeat(20_000),
  'Broken',
  ': empty',
  '\u0001: x',
];

/** A head without its last empty line; request line first. */
export function mutateHead(head: readonly string[], dice: Dice): string[] {
  const [first = '', ...rest] = head;
  switch (dice.below(6)) {
    case 0:
      return [mutateLine(first, dice), ...rest];
    case 1:
      return [first, ...rest.toSpliced(dice.below(rest.length + 1), 1)];
    case 2:
      return [first, ...rest.filter((line) => dice.chance(0.7) || line === '')];
    default:
      return [first, dice.pick(lines), ...rest];
  }
}

const tails = [
  '/',
  '//',
  '/x',
  '/../state',
  '?',
  '?jsonp=',
  '?jsonp=a%zz&x',
  '%',
  '%00',
  '#x',
  '/%2e%2e/x',
];

function mutateLine(line: string, dice: Dice): string {
  const [method = '', path = '', version = ''] = line.split(' ');
  switch (dice.below(6)) {
    case 0:
      return `${dice.pick(['GET', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE', 'x'])} ${path} ${version}`;
    case 1:
      return `${method} ${path}${dice.pick(tails)} ${version}`;
    case 2:
      return `${method} ${path}?${dice.pick(strings.filter((one) => /^[\x21-\x7e]*$/.test(one)))}=${dice.below(99)} ${version}`;
    case 3:
      return `${method} ${path} ${dice.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/9.9', '', 'x'])}`;
    case 4:
      return `${method} /${'p'.repeat(dice.pick([10, 3_000, 20_000]))} ${version}`;
    default:
      return mutateBytes(Buffer.from(line), dice)
        .toString('latin1')
        .replaceAll(/[\r\n]/g, '');
  }
}
