// Container ids as paths from the top container down, and what Mesos accepts as one.
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

/** Why an id is none, or undefined. */
export function idProblem(id: ContainerID): string | undefined {
  for (const value of pathOf(id)) {
    if (value === '') return 'ID must not be empty';
    if (value.length > VALUE_LENGTH_MAX) {
      return `ID must not be greater than ${VALUE_LENGTH_MAX} characters`;
    }
    // oxlint-disable-next-line no-control-regex
    if (/[/\\. \u0000-\u001f\u007f]/.test(value)) return `'${value}' contains invalid characters`;
  }
  return undefined;
}
