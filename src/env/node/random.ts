// Randomness of the operating system.
import { randomBytes, randomUUID } from 'node:crypto';
import type { Random } from '#env/env.ts';

export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  uuid: () => randomUUID(),
  next: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
};
