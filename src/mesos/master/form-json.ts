// JSON in the bodies and forms of the older endpoints, refused in the words of Mesos 1.11.
import { Fault, faultCode } from '#base/fault.ts';
import { readQuery } from '#mesos/libprocess/target.ts';
import { parseJson } from '#wire/mesos/codec.ts';

export type Read<T> = { readonly value: T } | { readonly wrong: string };

/** The text of a parse error without what only our own messages add. */
export function why(error: unknown): string {
  if (error instanceof Fault) {
    const detail = error.detail as { why?: string };
    if (detail.why !== undefined) return detail.why;
  }
  return error instanceof Error ? error.message : String(error);
}

export function readJson(text: string): Read<unknown> {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    // The codec's parser says what is wrong in Mesos' words.
    try {
      parseJson('MachineID', text);
    } catch (error) {
      return { wrong: why(error) };
    }
    return { wrong: 'syntax error' };
  }
}

export function readList<T>(text: string, read: (one: unknown) => T): Read<T[]> {
  const json = readJson(text);
  if ('wrong' in json) return json;
  if (!Array.isArray(json.value)) return { wrong: 'Unexpected JSON type parsed' };
  try {
    return { value: json.value.map(read) };
  } catch (error) {
    if (faultCode(error) === undefined) throw error;
    return { wrong: why(error) };
  }
}

/** Of the body of a request. */
export function readForm(body: string): Read<URLSearchParams> {
  const read = readQuery(body);
  return 'wrong' in read ? { wrong: `Unable to decode query string: ${read.wrong}` } : read;
}
