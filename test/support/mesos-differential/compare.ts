// Compares two runs of one scene, answer by answer, and sets aside the differences that are meant.
import { isDeepStrictEqual } from 'node:util';
import type { Entry } from './player.ts';

/** A difference that is meant: of which answers, in what part of them, and why. */
export interface KnownDifference {
  readonly scene: string;
  readonly step: RegExp;
  /** Of the dotted path into the answer, e.g. `body.flags`; any when it is left out. */
  readonly path?: RegExp;
  readonly reason: string;
}

export interface Difference {
  readonly step: string;
  readonly path: string;
  readonly real: unknown;
  readonly own: unknown;
}

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function* differences(
  real: unknown,
  own: unknown,
  path: string,
): Generator<Omit<Difference, 'step'>> {
  if (isDeepStrictEqual(real, own)) return;
  if (isObject(real) && isObject(own)) {
    for (const key of new Set([...Object.keys(real), ...Object.keys(own)])) {
      yield* differences(real[key], own[key], `${path}.${key}`);
    }
  } else if (Array.isArray(real) && Array.isArray(own) && real.length === own.length) {
    for (const [i, one] of real.entries()) yield* differences(one, own[i], `${path}.${i}`);
  } else yield { path: path.slice(1), real, own };
}

export function compare(real: readonly Entry[], own: readonly Entry[]): Difference[] {
  const found: Difference[] = [];
  for (const [i, entry] of real.entries()) {
    const { step, ...answer } = entry;
    const { step: ownStep, ...ownAnswer } = own[i] ?? { step: 'nothing' };
    if (ownStep !== step) {
      found.push({ step, path: 'step', real: step, own: ownStep });
      break;
    }
    for (const one of differences(answer, ownAnswer, '')) found.push({ step, ...one });
  }
  return found;
}

export function isKnown(scene: string, one: Difference, known: KnownDifference): boolean {
  if (known.scene !== '*' && known.scene !== scene) return false;
  if (!known.step.test(one.step)) return false;
  return known.path === undefined || known.path.test(one.path);
}
