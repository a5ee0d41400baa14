// What is kept of an answer to a garbled object: of a refusal the status, the reason and every cause; of what was
// taken, how it differs from what was sent.
import { createHash } from 'node:crypto';
import { LONG } from './garble.ts';
import { NODE_PORT, type Json } from './mutated.ts';

/** Lines; none where an object was taken as it was sent, but for what is done to each of its kind. */
export type Lines = readonly string[];

/** By what was done to which field, in the order in which it was done. */
export type Answers = Map<string, Lines>;

interface Cause {
  readonly reason?: string;
  readonly field?: string;
  readonly message?: string;
}

interface Status {
  readonly message?: string;
  readonly reason?: string;
  readonly details?: { readonly causes?: readonly Cause[] };
}

const DRAWN = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
const NOW = /\b20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;
/** The day of the times that are sent. */
const SENT = '2026-01-02T';

function plain(text: string): string {
  return (
    text
      // A rendering of what differs between two Go values.
      .replace(/\n@@[\s\S]*$/, '')
      .replaceAll('x'.repeat(LONG), `x*${LONG}`)
      .replaceAll(DRAWN, '<uid>')
      .replaceAll(/kube-api-access-[a-z0-9]{5}\b/g, 'kube-api-access-<drawn>')
      .replaceAll(/(X509SHA256=)[0-9a-f]{64}/g, '$1<hash>')
      .replaceAll('https://kubernetes.default.svc.cluster.local', 'https://kubernetes.default.svc')
      .replaceAll(NOW, (time) => (time.startsWith(SENT) ? time : '<time>'))
  );
}

const reasons: readonly (readonly [RegExp, string])[] = [
  [/^Invalid value\b/, 'FieldValueInvalid'],
  [/^Required value\b/, 'FieldValueRequired'],
  [/^Unsupported value\b/, 'FieldValueNotSupported'],
  [/^Duplicate value\b/, 'FieldValueDuplicate'],
  [/^Forbidden\b/, 'FieldValueForbidden'],
  [/^Too long\b/, 'FieldValueTooLong'],
  [/^Too many\b/, 'FieldValueTooMany'],
  [/^Not found\b/, 'FieldValueNotFound'],
];

const impliedReasons: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  422: 'Invalid',
};

/** The reason is told only where the words do not imply it. */
function causeLine({ reason = '', field = '', message = '' }: Cause): string {
  const implied = reasons.find(([words]) => words.test(message))?.[1];
  return plain(`${field}: ${message}${implied === reason ? '' : ` (${reason})`}`);
}

/** `@` stands for the place that was garbled. */
export function refusal(status: number, body: Status, head: string, place: string): Lines {
  const { message = '', reason = '', details } = body;
  const short = (text: string): string => (place === '' ? text : text.replaceAll(place, '@'));
  const odd = impliedReasons[status] === reason ? '' : ` (${reason})`;
  const causes = details?.causes;
  if (causes === undefined) {
    return [`${status}${odd}`, short(plain(message.replace(UNREADABLE, '$2')))];
  }
  const own = headOf(body);
  const told = own === head ? '' : ` ${plain(own)}`;
  return [`${status}${odd}${told}`, ...causes.map((one) => short(causeLine(one))).toSorted()];
}

/** Kind and version, as often as something cannot be decoded. */
const UNREADABLE =
  /^(\w+) in version "\w+" cannot be handled as a \1: (strict decoding error: |json: )/;

/** What a message says before its causes: most often the object. */
export function headOf({ message = '' }: Status): string {
  return /^(.*? is invalid: )/.exec(message)?.[1] ?? message;
}

const drawn = new Set(['uid', 'resourceVersion', 'managedFields', 'token']);

/** Without what is drawn anew each time, and in one order of keys. */
function shown(value: unknown): string {
  return JSON.stringify(value, (key, inner: unknown) => {
    if (key === 'managedFields') return undefined;
    if (key === 'token') return '<token>';
    if (key === 'nodePort' && inner !== NODE_PORT) return '<port>';
    if (typeof inner === 'string' && /^198\.18\.(?!77\.)/.test(inner)) return '<address>';
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function* differences(sent: unknown, got: unknown, at: string): Generator<string> {
  if (JSON.stringify(sent) === JSON.stringify(got)) return;
  const areRecords = [sent, got].every((one) => typeof one === 'object' && one !== null);
  if (!areRecords || Array.isArray(sent) !== Array.isArray(got)) {
    yield plain(got === undefined ? `${at} gone` : `${at}=${shown(got)}`);
    return;
  }
  const [before, after] = [sent as Json, got as Json];
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (drawn.has(key) && at.split('.').length < 3) continue;
    const isPort = key === 'nodePort' && after[key] !== NODE_PORT && after[key] !== undefined;
    const next = isPort ? '<port>' : after[key];
    yield* differences(before[key], next, at === '' ? key : `${at}.${key}`);
  }
}

export const changesBetween = (sent: Json, got: Json): Lines =>
  [...differences(sent, got, '')].toSorted();

const TEXT_MAX = 300;

/** What was done to an object beyond what is done to a usual one, and less. */
export function beyond(usual: Lines, changes: Lines): Lines {
  const more = changes.filter((line) => !usual.includes(line));
  const less = usual.filter((line) => !changes.includes(line)).map((line) => `not ${line}`);
  const lines = [...more, ...less];
  const text = lines.join('\n');
  if (text.length <= TEXT_MAX) return lines;
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 10);
  return [`${text.slice(0, TEXT_MAX / 4)}…<${hash}>`];
}
