// Container ids as paths from the top container down, and what Mesos accepts as one.
import { validateId } from '#mesos/validation/ids.ts';
import { withPrefix } from '#mesos/validation/infos.ts';
import type { ContainerID } from '#wire/mesos/v1.ts';

/** Values from the top-level container to the container itself; never empty. */
export type ContainerPath = readonly string[];

const VALUE_LENGTH_MAX = 242;

export function pathOf(id: ContainerID): ContainerPath {
  const own = [id.value];
  return id.parent === undefined ? own : [...pathOf(id.parent), ...own];
}

export function idOf(path: ContainerPath): ContainerID {
  const parent = path.slice(0, -1);
  return {
    value: path.at(-1) ?? '',
    ...(parent.length === 0 ? {} : { parent: idOf(parent) }),
  };
}

/** As Mesos prints it, and as a key: no value holds a dot. */
export function nameOf(path: ContainerPath): string {
  return path.join('.');
}

/** Why an id is none, or undefined; in the words of Mesos 1.11. */
export function idProblem({ value, parent }: ContainerID): string | undefined {
  const wrong = validateId(value);
  if (wrong !== undefined) return wrong;
  if (value.length > VALUE_LENGTH_MAX) {
    return `'ContainerID.value' '${value}' exceeds the maximum length (${VALUE_LENGTH_MAX})`;
  }
  if (/[. ]/.test(value)) return `'ContainerID.value' '${value}' contains invalid characters`;
  return withPrefix("'ContainerID.parent' is invalid: ", parent && idProblem(parent));
}
