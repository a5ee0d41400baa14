// A value of JSON as go.yaml.in/yaml/v3 writes it when nothing is said of styles: in blocks, lists of mappings not
// indented, quotes only where they are needed. Gnostic keeps extensions, enumerations and defaults of documents so.

/** Words that are no text when nothing is around them (yaml/v3, resolve.go); numbers and times beside them. */
const WORDS =
  /^(?:~|<<|null|Null|NULL|true|True|TRUE|false|False|FALSE|[+-]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const NUMBER =
  /^[+-]?(?:0b[01_]+|0o?[0-7_]+|0x[\da-fA-F_]+|[\d_]*\.?[\d_]+(?:[eE][+-]?\d+)?|\d[\d_]*\.)$/;
const TIME = /^\d{4}-\d\d?-\d\d?(?:[Tt ].*)?$/;

const isOther = (text: string): boolean =>
  [WORDS, TIME].some((one) => one.test(text)) || (NUMBER.test(text) && /\d/.test(text));

/** Whether it may stand without quotes in a block. */
function isPlain(text: string): boolean {
  if (/^[\s#,[\]{}&*!|>'"%@`]/.test(text) || /\s$/.test(text)) return false;
  if (/^[?:-](?:\s|$)/.test(text) || /^(?:---|\.\.\.)/.test(text)) return false;
  return !/:(?:\s|$)|\s#|\t/.test(text);
}

// oxlint-disable-next-line no-control-regex
const SPECIAL = /[\u0000-\u0008\u000b-\u001f\u007f\u0085\u2028\u2029\ufeff]/;

function scalar(value: unknown, indent: string): string {
  if (typeof value !== 'string') return value === null ? 'null' : String(value);
  if (value === '' || isOther(value) || SPECIAL.test(value)) return JSON.stringify(value);
  if (value.includes('\n')) return block(value, indent);
  return isPlain(value) ? value : `'${value.replaceAll("'", "''")}'`;
}

/** Several lines, literally. */
function block(text: string, indent: string): string {
  const chomp = text.endsWith('\n\n') || text === '\n' ? '+' : text.endsWith('\n') ? '' : '-';
  const hint = /^[ \n]/.test(text) ? '4' : '';
  const inner = text
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => (line === '' ? '' : `${indent}${line}`));
  return `|${hint}${chomp}\n${inner.join('\n')}`;
}

/** Nested blocks begin at columns that four divides. */
const deeper = (column: number): number => (Math.floor(column / 4) + 1) * 4;

function lines(value: unknown, column: number): string {
  const pad = ' '.repeat(column);
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return value.map((one) => `- ${nested(one, column + 2)}`).join(`\n${pad}`);
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    if (entries.length === 0) return '{}';
    return entries
      .map(([key, one]) => {
        const name = scalar(key, '');
        const isBlock = typeof one === 'object' && one !== null && Object.keys(one).length > 0;
        if (!isBlock) return `${name}: ${nested(one, deeper(column))}`;
        const inner = deeper(column);
        return `${name}:\n${' '.repeat(inner)}${lines(one, inner)}`;
      })
      .join(`\n${pad}`);
  }
  return scalar(value, ' '.repeat(Math.max(column, 4)));
}

const nested = (value: unknown, column: number): string => lines(value, column);

export function yamlText(value: unknown): string {
  return `${lines(value, 0)}\n`;
}
