// Every place where this master answers otherwise than Mesos 1.11, with the reason. The test fails
// for a difference that is not here, and for an entry here that no difference needs any more.
import type { KnownDifference } from './compare.ts';

export const knownDifferences: readonly KnownDifference[] = [];
