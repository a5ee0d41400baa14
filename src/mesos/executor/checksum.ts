// The digest that what a URI brings is held to, where its fragment says one:
// `https://example.org/app.tgz#sha256=<hex>`. A fragment is never sent to a server, so the same URI works on
// agents that do not know of it; the form is that of Python's package index.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

const HEX_DIGITS = { sha256: 64, sha384: 96, sha512: 128 } as const;

export interface Checksum {
  readonly algorithm: keyof typeof HEX_DIGITS;
  /** Lower case. */
  readonly hex: string;
}

/** The URI without its digest, and that; a fragment that says none stays. Throws if it is none of its kind. */
export function splitChecksum(uri: string): readonly [string, Checksum | undefined] {
  const [, place, name, hex = ''] = /^(.*)#(sha256|sha384|sha512)=(.*)$/s.exec(uri) ?? [];
  if (place === undefined) return [uri, undefined];
  const algorithm = name as Checksum['algorithm'];
  if (hex.length !== HEX_DIGITS[algorithm] || !/^[0-9a-f]*$/i.test(hex)) {
    throw new Error(
      `"${uri}" has a ${algorithm} of other than ${HEX_DIGITS[algorithm]} hex digits`,
    );
  }
  return [place, { algorithm, hex: hex.toLowerCase() }];
}

/** Throws if the file is another. */
export async function checkFile(
  uri: string,
  path: string,
  { algorithm, hex }: Checksum,
): Promise<void> {
  const hash = createHash(algorithm);
  await pipeline(createReadStream(path), hash);
  const found = hash.digest('hex');
  if (found === hex) return;
  throw new Error(`"${uri}" has the ${algorithm} ${found}, not ${hex}`);
}
