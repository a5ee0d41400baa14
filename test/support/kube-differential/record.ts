// Where the answers of the real server are kept: one answer a line, its body as the change from the
// body before it, which makes a long life of one object short.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Entry } from './player.ts';

type Json = Record<string, unknown>;

/** The answers to each scene. */
export type Recording = Readonly<Record<string, readonly Entry[]>>;

const pathOf = (suite: string): string =>
  join(import.meta.dirname, `../../vectors/kube-${suite}.json`);

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `{"=": value}` replaces; other objects change fields of the same name; `{"-": [...]}` takes away. */
function change(before: unknown, after: unknown): unknown {
  if (!isObject(before) || !isObject(after)) return { '=': after };
  const result: Json = {};
  const gone = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
  for (const [key, value] of Object.entries(after)) {
    const isOld = Object.hasOwn(before, key);
    if (isOld && isDeepStrictEqual(before[key], value)) continue;
    result[key] = change(isOld ? before[key] : undefined, value);
  }
  if (gone.length > 0) result['-'] = gone;
  const whole = { '=': after };
  return JSON.stringify(result).length < JSON.stringify(whole).length ? result : whole;
}

function changed(before: unknown, difference: unknown): unknown {
  const { '=': whole, '-': gone = [], ...rest } = difference as Json;
  if (Object.hasOwn(difference as Json, '=')) return whole;
  const result: Json = { ...(before as Json) };
  for (const key of gone as string[]) delete result[key];
  for (const [key, inner] of Object.entries(rest)) result[key] = changed(result[key], inner);
  return result;
}

/** A failure's message repeats its causes, and most of its fields are always the same. */
function longFailure(short: Json, code: number): Json {
  const { details, message } = short as { details?: Json; message?: string };
  const { group, kind, name } = (details ?? {}) as Record<string, string>;
  const subject = `${kind}${group === undefined ? '' : `.${group}`} "${name}" is invalid: `;
  return {
    apiVersion: 'v1',
    code,
    kind: 'Status',
    metadata: {},
    status: 'Failure',
    ...short,
    message: message ?? `${subject}…`,
  };
}

function shortFailure(body: unknown, code: number): unknown {
  if (!isObject(body)) return undefined;
  const { details, message, reason } = body;
  const rest = { ...(details === undefined ? {} : { details }), reason };
  if (isDeepStrictEqual(longFailure(rest, code), body)) return rest;
  const worded = { ...rest, message };
  return isDeepStrictEqual(longFailure(worded, code), body) ? worded : undefined;
}

type Line = readonly [step: string, status: number, body: unknown, headers?: Entry['headers']];

/** The body that the next one is told from: the last one that was an object. */
function nextBase(base: unknown, { status, body }: Entry): unknown {
  const isOne = status < 400 && isObject(body) && !('items' in body) && !('rows' in body);
  return isOne && body['kind'] !== 'Status' ? body : base;
}

export function writeRecording(suite: string, recording: Recording): void {
  const scenes = Object.entries(recording).map(([name, entries]) => {
    let base: unknown;
    const lines = entries.map((entry) => {
      const { step, status, headers, body } = entry;
      const short = status < 400 ? undefined : shortFailure(body, status);
      const line: unknown[] = [step, status, short ?? change(base, body)];
      if (Object.keys(headers).length > 0) line.push(headers);
      base = nextBase(base, entry);
      return JSON.stringify(line);
    });
    return `${JSON.stringify(name)}: [\n${lines.join(',\n')}\n]`;
  });
  writeFileSync(pathOf(suite), `{\n${scenes.join(',\n')}\n}\n`);
}

export function readRecording(suite: string): Recording {
  const scenes = JSON.parse(readFileSync(pathOf(suite), 'utf8')) as Record<string, readonly Line[]>;
  const found: Record<string, readonly Entry[]> = {};
  for (const [name, lines] of Object.entries(scenes)) {
    let base: unknown;
    found[name] = lines.map(([step, status, difference, headers = {}]) => {
      const isShort = status >= 400 && Object.hasOwn(difference as Json, 'reason');
      const body = isShort ? longFailure(difference as Json, status) : changed(base, difference);
      const entry = { step, status, headers, body };
      base = nextBase(base, entry);
      return entry;
    });
  }
  return found;
}
