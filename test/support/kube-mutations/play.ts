// Garbles valid objects, one field at a time: left out, empty, of the wrong form, too long, out of range; and what a
// server says to each.
import { senderTo, type Target } from '#test/support/kube-sender.ts';
import { mutated, type Json } from './objects.ts';

type Place = readonly (string | number)[];

const LONG = 300;

function* placesIn(value: unknown, at: Place = []): Generator<Place> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    const place = [...at, Array.isArray(value) ? Number(key) : key];
    yield place;
    yield* placesIn(inner, place);
  }
}

const valueAt = (object: unknown, place: Place): unknown =>
  place.reduce<unknown>((value, key) => (value as Record<string | number, unknown>)[key], object);

/** By what is done to the value; undefined: it is left out. */
function garbled(value: unknown): readonly (readonly [string, unknown])[] {
  const gone = ['left out', undefined] as const;
  if (typeof value === 'string') {
    return [gone, ['empty', ''], ['bad', 'Bad_Value/!'], ['long', 'x'.repeat(LONG)]];
  }
  if (typeof value === 'number') return [gone, ['-1', -1], ['0', 0], ['99999', 99_999]];
  if (typeof value === 'boolean') return [gone, [String(!value), !value]];
  if (Array.isArray(value)) return [gone, ['empty', []], ['twice', [...value, ...value]]];
  return [gone, ['empty', {}]];
}

function changed(base: Json, place: Place, value: unknown): Json {
  const copy = structuredClone(base);
  const parent = valueAt(copy, place.slice(0, -1)) as Record<string | number, unknown>;
  const last = place.at(-1) ?? '';
  if (value !== undefined) parent[last] = value;
  else if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete parent[last];
  return copy;
}

interface Answer {
  readonly message?: string;
  readonly details?: {
    readonly causes?: readonly { readonly field?: string; readonly message?: string }[];
  };
}

/** What was wrong, in the order of the alphabet; nothing where it was taken. */
function complaints(status: number, body: Answer): string[] {
  if (status < 400) return [];
  const { causes } = body.details ?? {};
  const texts = causes?.map(({ field, message }) => `${field}: ${message}`) ?? [`${body.message}`];
  const short = (text: string): string => text.replaceAll('x'.repeat(LONG), `x*${LONG}`);
  return [`${status}`, ...texts.map(short).toSorted()];
}

/** By object, then by what was done to which field. */
export type Complaints = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

export async function playMutations(target: Target): Promise<Complaints> {
  const send = senderTo(target);
  const post = async (path: string, body: Json): Promise<string[]> => {
    const headers = { 'content-type': 'application/json' };
    const answer = await send({ method: 'POST', path, headers, body: JSON.stringify(body) });
    return complaints(answer.status, JSON.parse(answer.bytes.toString()) as Answer);
  };
  await post('/api/v1/namespaces', { metadata: { name: 'mutated' } });
  const account = { metadata: { name: 'default' }, automountServiceAccountToken: false };
  await post('/api/v1/namespaces/mutated/serviceaccounts', account);
  const found: Record<string, Record<string, readonly string[]>> = {};
  for (const { name, path, base } of mutated) {
    const own: Record<string, readonly string[]> = {
      'as it is': await post(`${path}?dryRun=All`, base),
    };
    for (const place of placesIn(base)) {
      if (place.length === 1 && place[0] === 'metadata') continue;
      for (const [what, value] of garbled(valueAt(base, place))) {
        const body = changed(base, place, value);
        own[`${place.join('.')} ${what}`] = await post(`${path}?dryRun=All`, body);
      }
    }
    found[name] = own;
  }
  return found;
}
