// The label that tells apart what different templates of one owner made: it looks as upstream's does
// (ten characters that spell no word), and is the same for the same template, always.
import { canonicalText } from './canonical-text.ts';

const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

function fnv32a(text: string, seed = 0x811c9dc5): number {
  let hash = seed;
  for (const byte of Buffer.from(text)) {
    hash ^= byte;
    hash = Math.imul(hash, 0x01000193) >>> 0;
  }
  return hash >>> 0;
}

/** `collisionCount` makes another hash of it when the name is taken. */
export function templateHash(template: unknown, collisionCount: number | undefined): string {
  let hash = fnv32a(canonicalText(template));
  if (collisionCount !== undefined && collisionCount > 0) hash = fnv32a(`${collisionCount}`, hash);
  return [...String(hash)].map((one) => ALPHABET[one.charCodeAt(0) % ALPHABET.length]).join('');
}

interface Template {
  readonly metadata?: object | undefined;
  readonly spec?: unknown;
}

/** For comparison: an empty map among the metadata is as good as none. */
export function normalTemplate(template: Template): Template {
  const entries = Object.entries(template.metadata ?? {}).filter(
    ([key, value]) =>
      key !== 'creationTimestamp' &&
      value !== null &&
      !(typeof value === 'object' && Object.keys(value as object).length === 0),
  );
  return { ...template, metadata: Object.fromEntries(entries) };
}
