// Paths of fields and indexes, `self.spec.list[0]`, walked as one: each step costs one, and may be one that can be missing.
import { charge } from './cost.ts';
import { Optional } from './core-values.ts';
import { checkKey, find, get, noOverload } from './operators.ts';
import type { Frame, Run } from './runs.ts';

/** A step on a path: a key that is known, or is found out, and whether it may be missing. */
export interface Step {
  readonly key?: unknown;
  readonly find?: Run;
  readonly isOptional: boolean;
  readonly isTest: boolean;
}

/** A value, and the path from it. Its base costs one, but not as a branch of a condition. */
export interface Path {
  readonly base: Run;
  readonly steps: readonly Step[];
}

export interface Branches {
  readonly condition: Run;
  readonly yes: Path | Branches;
  readonly no: Path | Branches;
}

export const isBranches = (path: Path | Branches): path is Branches => 'condition' in path;

export function extended(path: Path | Branches, step: Step): Path | Branches {
  if (!isBranches(path)) return { base: path.base, steps: [...path.steps, step] };
  return { ...path, yes: extended(path.yes, step), no: extended(path.no, step) };
}

function walk(frame: Frame, start: unknown, steps: readonly Step[]): unknown {
  let value = start;
  let isOptional = false;
  if (start instanceof Optional) {
    if (!start.hasValue) return start;
    value = start.value;
    isOptional = true;
  }
  for (const step of steps) {
    const key = step.find === undefined ? step.key : step.find(frame);
    if (step.find !== undefined) checkKey(key);
    isOptional ||= step.isOptional;
    if (step.isTest) {
      charge(1);
      const isThere = find(value, key) !== undefined;
      if (!isOptional) return isThere;
      return isThere ? Optional.of(true) : Optional.NONE;
    }
    if (isOptional) {
      const found = find(value, key);
      if (found === undefined) return Optional.NONE;
      charge(1);
      value = found;
    } else {
      charge(1);
      value = get(value, key);
    }
  }
  return isOptional ? Optional.of(value) : value;
}

export function resolver(path: Path | Branches): Run {
  if (!isBranches(path)) {
    const { base, steps } = path;
    if (steps.length === 0) return base;
    const isPlain = steps.every((one) => one.find === undefined && !one.isOptional && !one.isTest);
    if (!isPlain) return (frame) => walk(frame, base(frame), steps);
    return (frame) => {
      let value = base(frame);
      if (value instanceof Optional) return walk(frame, value, steps);
      for (const { key } of steps) {
        charge(1);
        value = get(value, key);
      }
      return value;
    };
  }
  const [yes, no] = [resolver(path.yes), resolver(path.no)];
  const { condition } = path;
  return (frame) => {
    const chosen = condition(frame);
    if (chosen === true) return yes(frame);
    if (chosen === false) return no(frame);
    throw noOverload();
  };
}
