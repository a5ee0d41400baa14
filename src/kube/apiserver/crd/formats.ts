// The formats of texts in schemas, as the strfmt package of kube-openapi knows them in v1.37. Formats that
// it does not know are not checked.
import { passes } from '#kube/cel/library-types.ts';
import { uriProblem } from '#kube/cel/go-url.ts';
import { parseCidr, parseIp } from '#kube/cel/addresses.ts';
import { nameProblem } from '#kube/meta/names.ts';

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const uuidOf = (version: string, variant: string): RegExp =>
  new RegExp(
    `^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?${variant}[0-9a-f]{3}-?[0-9a-f]{12}$`,
    'i',
  );
const DATE_TIME =
  /^(\d{4}-\d\d-\d\d)[tT ](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:[zZ]|[+-](?:[01]\d|2[0-3]):?[0-5]\d)$/;
const EMAIL = /^[^\s@<>"(),:;[\]\\]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/;
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const HOST = new RegExp(`^(?=.{1,255}$)${LABEL}(?:\\.${LABEL})*\\.?$`);
const PAIR = '[0-9a-f]{2}';
const MAC = new RegExp(
  `^${PAIR}([:-])(?:${PAIR}\\1){4}${PAIR}(?:(?:\\1${PAIR}){2})?$|^(?:[0-9a-f]{4}\\.){2}[0-9a-f]{4}$`,
  'i',
);
const UNITS = [
  'ns|us|µs|ms|s|m|h|d|w|nano(?:second)?s?|micro(?:second)?s?|milli(?:second)?s?',
  'seconds?|minutes?|hours?|days?|weeks?',
].join('|');
const DURATION = new RegExp(`^[+-]?(?:\\d+(?:\\.\\d+)?\\s*(?:${UNITS})\\s*)+$`);
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const COLOUR = /^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/;
const BYTE = '(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)';
const RGB = new RegExp(`^rgb\\(\\s*${BYTE}\\s*,\\s*${BYTE}\\s*,\\s*${BYTE}\\s*\\)$`);
const SSN = /^\d{3}[- ]?\d{2}[- ]?\d{4}$/;
const CARDS = [
  '4\\d{12}(?:\\d{3})?',
  '5[1-5]\\d{14}',
  '6(?:011|5\\d\\d)\\d{12}',
  '3[47]\\d{13}',
  '3(?:0[0-5]|[68]\\d)\\d{11}',
  '(?:2131|1800|35\\d{3})\\d{11}',
].join('|');
const CARD = new RegExp(`^(?:${CARDS})$`);

function isDate(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

function isIsbn10(text: string): boolean {
  const digits = text.replaceAll(/[\s-]/g, '');
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  const sum = [...digits].reduce(
    (total, one, i) => total + (10 - i) * (one === 'X' ? 10 : Number(one)),
    0,
  );
  return sum % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = text.replaceAll(/[\s-]/g, '');
  if (!/^\d{13}$/.test(digits)) return false;
  return (
    [...digits].reduce((sum, one, i) => sum + Number(one) * (i % 2 === 0 ? 1 : 3), 0) % 10 === 0
  );
}

const matches =
  (pattern: RegExp) =>
  (text: string): boolean =>
    pattern.test(text);
const family =
  (wanted: 4 | 6) =>
  (text: string): boolean =>
    passes(() => parseIp(text)) && parseIp(text).family === wanted;

const checks: Readonly<Record<string, (text: string) => boolean>> = {
  bsonobjectid: matches(/^[0-9a-fA-F]{24}$/),
  uri: (text) => uriProblem(text) === undefined,
  email: matches(EMAIL),
  hostname: matches(HOST),
  ipv4: family(4),
  ipv6: family(6),
  cidr: (text) => passes(() => parseCidr(text)),
  mac: matches(MAC),
  uuid: matches(UUID),
  uuid3: matches(uuidOf('3', '[0-9a-f]')),
  uuid4: matches(uuidOf('4', '[89ab]')),
  uuid5: matches(uuidOf('5', '[89ab]')),
  isbn: (text) => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: (text) => CARD.test(text.replaceAll(/\D/g, '')),
  ssn: matches(SSN),
  hexcolor: matches(COLOUR),
  rgbcolor: matches(RGB),
  byte: matches(BASE64),
  password: () => true,
  date: isDate,
  duration: matches(DURATION),
  datetime: (text) => isDate(DATE_TIME.exec(text)?.[1] ?? ''),
  k8sshortname: (text) => nameProblem('label', text) === undefined,
  k8slongname: (text) => nameProblem('subdomain', text) === undefined,
};

export function isKnownFormat(type: string | undefined, format: string): boolean {
  if (type === 'integer') return format === 'int32' || format === 'int64';
  if (type === 'number') return format === 'float' || format === 'double';
  return (
    (type === undefined || type === '' || type === 'string') &&
    checks[format.replaceAll('-', '')] !== undefined
  );
}

export function hasFormat(format: string, text: string): boolean {
  return checks[format.replaceAll('-', '')]?.(text) ?? true;
}
