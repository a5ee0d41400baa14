// JSON in the bodies and forms of the older endpoints, refused in the words of Mesos 1.11.
import { Fault, faultCode } from '#base/fault.ts';
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

/** The fields of `a=b&c=d;e=f`, as libprocess reads them: of two of one name the last. */
export function readQuery(text: string): Read<URLSearchParams> {
  const fields = new URLSearchParams();
  for (const token of text.split(/[&;]/).filter(Boolean)) {
    const cut = token.indexOf('=');
    const parts = cut < 0 ? [token, ''] : [token.slice(0, cut), token.slice(cut + 1)];
    for (const part of parts) {
      const bad = /%(?![0-9a-f]{2}).{0,2}/is.exec(part);
      if (bad !== null) return { wrong: `Malformed % escape in '${part}': '${bad[0]}'` };
    }
    const [name = '', value = ''] = parts.map(unescaped);
    fields.set(name, value);
  }
  return { value: fields };
}

function unescaped(text: string): string {
  return new URLSearchParams(`text=${text}`).get('text') ?? '';
}

/** Of the body of a request. */
export function readForm(body: string): Read<URLSearchParams> {
  const read = readQuery(body);
  return 'wrong' in read ? { wrong: `Unable to decode query string: ${read.wrong}` } : read;
}
