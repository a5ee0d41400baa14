// Deals each flow a hand of queues, so that two flows seldom share all of them (util/shufflesharding of
// k8s.io/apiserver v0.37): a greedy flow fills its own hand, others have queues left.
import { createHash } from 'node:crypto';

/** The first eight bytes of the digest of the schema's name and the flow's distinguisher. */
export function hashFlow(schema: string, distinguisher: string): bigint {
  const digest = createHash('sha256')
    .update(schema)
    .update(Buffer.of(0))
    .update(distinguisher)
    .digest();
  return digest.readBigUInt64LE(0);
}

/** `handSize` different numbers below `deckSize`. */
export function deal(hash: bigint, deckSize: number, handSize: number): number[] {
  const remainders: number[] = [];
  let rest = hash;
  for (let i = 0; i < handSize; i++) {
    const size = BigInt(deckSize - i);
    remainders.push(Number(rest % size));
    rest /= size;
  }
  return remainders.map((remainder, i) => {
    let card = remainder;
    for (let j = i; j > 0; j--) if (card >= (remainders[j - 1] as number)) card += 1;
    return card;
  });
}
