// YAML bodies: of keys that stand twice the last one counts, and strict clients are told where.
import {
  isCollection,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  parseAllDocuments,
  visit,
  type Document,
  type ScalarTag,
} from 'yaml';
import { exactNumber } from '#kube/meta/exact-numbers.ts';
import { MalformedBody } from './malformed-body.ts';

export interface YamlBody {
  readonly value: unknown;
  /** In the words of upstream's decoder; undefined when no key stands twice. */
  readonly problem: string | undefined;
}

/** Bytes are a text, as in upstream's decoder. */
const binary: ScalarTag = {
  tag: 'tag:yaml.org,2002:binary',
  resolve: (text) => Buffer.from(text, 'base64').toString(),
};

const TRUE = /^(?:y|Y|yes|Yes|YES|on|On|ON|true|True|TRUE)$/;
const FALSE = /^(?:n|N|no|No|NO|off|Off|OFF|false|False|FALSE)$/;

/** Words for true and false of YAML 1.1, which upstream's decoder still reads. */
const words: readonly ScalarTag[] = [
  { tag: 'tag:yaml.org,2002:bool', default: true, test: TRUE, resolve: () => true },
  { tag: 'tag:yaml.org,2002:bool', default: true, test: FALSE, resolve: () => false },
];

/** Numbers with a base, an old octal one included, or with signs that only part their digits. */
const numbers: readonly ScalarTag[] = [
  {
    tag: 'tag:yaml.org,2002:int',
    default: true,
    test: /^[-+]?0_*[0-7][0-7_]*$/,
    resolve: (text) => signed(text, (digits) => Number.parseInt(digits, 8)),
  },
  {
    tag: 'tag:yaml.org,2002:int',
    default: true,
    test: /^[-+]?0b[01_]+$/,
    resolve: (text) => signed(text, (digits) => Number.parseInt(digits.slice(2), 2)),
  },
  {
    tag: 'tag:yaml.org,2002:float',
    default: true,
    test: /^[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?$/,
    resolve: (text) => {
      const value = signed(text, Number);
      // What is too big stays a text.
      return Number.isFinite(value) ? value : text;
    },
  },
];

function signed(text: string, read: (digits: string) => number): number {
  const digits = text.replaceAll('_', '').replace(/^[-+]/, '');
  return text.startsWith('-') ? -read(digits) : read(digits);
}

/** What JSON has no sign for: in Go's words, and as a key. */
const goNumbers: Readonly<Record<string, { readonly value: string; readonly key: string }>> = {
  Infinity: { value: '+Inf', key: '.inf' },
  '-Infinity': { value: '-Inf', key: '-.inf' },
  NaN: { value: 'NaN', key: '.nan' },
};

const unread = (text: string, why: string): MalformedBody =>
  new MalformedBody('yaml', Buffer.from(text), why);

/** A value as Go writes it in its own language. */
function goSource(value: unknown): string {
  if (value === null || value === undefined) return 'interface {}(nil)';
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSource).join(', ')}}`;
  if (typeof value !== 'object') return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, one]) => `${goSource(key)}:${goSource(one)}`);
  return `map[interface {}]interface {}{${entries.join(', ')}}`;
}

/** Keys are scalars that are something. Throws MalformedBody. */
function checkKey(text: string, key: unknown, held: unknown, document: Document): void {
  const plain = (node: unknown): unknown => (isNode(node) ? node.toJS(document) : node);
  if (isCollection(key)) throw unread(text, `yaml: invalid map key: ${goSource(plain(key))}`);
  if (key !== null && !(isScalar(key) && key.value === null)) return;
  const shown = goSource(plain(held));
  throw unread(text, `unsupported map key of type: %!s(<nil>), key: <nil>, value: ${shown}`);
}

const UINT64_MAX = 2n ** 64n - 1n;
const WHOLE = /^[-+]?(?:0x[\da-f_]+|0b[01_]+|[\d_]+)$/i;

/** With all its digits, whatever its base. */
function wholeOf(source: string): bigint | undefined {
  if (!WHOLE.test(source)) return undefined;
  const digits = source.replaceAll('_', '').replace(/^[-+]/, '');
  const isOctal = /^0[0-7]+$/.test(digits);
  const size = BigInt(isOctal ? `0o${digits}` : digits);
  return source.startsWith('-') ? -size : size;
}

/**
 * As Go makes JSON of a number: whole ones of up to 64 bits with all their digits, and others with those that tell them
 * from their neighbours. `isValue`: read into int64 or float64 then.
 */
function madeExact(value: number, source: string, isValue: boolean): unknown {
  if (value === 0) return 0;
  if (!Number.isInteger(value) || Number.isSafeInteger(value)) return value;
  const whole = wholeOf(source);
  const exact = exactNumber(whole === undefined ? String(value) : String(whole));
  if (exact !== undefined) return exact;
  return whole !== undefined && whole > 0n && whole <= UINT64_MAX && !isValue ? whole : value;
}

/** Throws MalformedBody. */
function checkNumbers(text: string, value: unknown): void {
  if (!/\.(?:inf|nan)/i.test(text)) return;
  const visitValue = (one: unknown): void => {
    if (typeof one === 'object' && one !== null) Object.values(one).forEach(visitValue);
    if (typeof one !== 'number' || Number.isFinite(one)) return;
    throw unread(text, `json: unsupported value: ${goNumbers[String(one)]?.value ?? ''}`);
  };
  visitValue(value);
}

/** `isValue`: of no type that is known. Throws what the parser throws, and MalformedBody. */
export function parseYamlBody(text: string, isValue = false): YamlBody {
  const lines = new LineCounter();
  // Of several documents the first one counts.
  const all = parseAllDocuments(text, {
    uniqueKeys: false,
    merge: true,
    customTags: (tags) => [...words, ...numbers, ...tags, binary],
    lineCounter: lines,
  });
  const document = 'empty' in all ? undefined : all[0];
  if (document === undefined) return { value: null, problem: undefined };
  const [error] = document.errors;
  if (error !== undefined) throw error;
  const found: string[] = [];
  visit(document, {
    Scalar(key, scalar) {
      if (key === 'key' || typeof scalar.value !== 'number') return;
      scalar.value = madeExact(scalar.value, scalar.source ?? '', isValue);
    },
    Map(_key, map) {
      if (!isMap(map)) return;
      const seen = new Set<string>();
      for (const { key, value: held } of map.items) {
        checkKey(text, key, held, document);
        if (!isScalar(key)) continue;
        if (typeof key.value === 'number' && !Number.isFinite(key.value))
          key.value = goNumbers[String(key.value)]?.key;
        const name = String(key.value);
        const { line } = lines.linePos(key.range?.[0] ?? 0);
        if (seen.has(name)) found.push(`  line ${line}: key "${name}" already set in map`);
        seen.add(name);
      }
    },
  });
  const value: unknown = document.toJS();
  checkNumbers(text, value);
  if (found.length === 0) return { value, problem: undefined };
  return { value, problem: `yaml: unmarshal errors:\n${found.join('\n')}` };
}
