// YAML bodies: of keys that stand twice the last one counts, and strict clients are told where.
import { isMap, isScalar, LineCounter, parseAllDocuments, visit, type ScalarTag } from 'yaml';

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

/** Throws what the parser throws. */
export function parseYamlBody(text: string): YamlBody {
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
    Map(_key, map) {
      if (!isMap(map)) return;
      const seen = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        const { line } = lines.linePos(key.range?.[0] ?? 0);
        if (seen.has(name)) found.push(`  line ${line}: key "${name}" already set in map`);
        seen.add(name);
      }
    },
  });
  const value: unknown = document.toJS();
  if (found.length === 0) return { value, problem: undefined };
  return { value, problem: `yaml: unmarshal errors:\n${found.join('\n')}` };
}
