// --firewall_rules: endpoints that are switched off, whoever asks (`disabled_endpoints`, inventory 9).
import { valueOrFile } from '#mesos/flags/flag-table.ts';

/** Full paths, with the process before them: `/master/state`, `/files/browse`. */
export type DisabledEndpoints = ReadonlySet<string>;

const allOpen: DisabledEndpoints = new Set();

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The JSON of Mesos' Firewall message, or the path of a file with it. `absolute` puts the process before
 * a path that names none. Throws with what is wrong.
 */
export function disabledEndpoints(
  absolute: (path: string) => string,
): (text: string) => DisabledEndpoints {
  return (text) => {
    if (text === '') return allOpen;
    const rules: unknown = JSON.parse(valueOrFile(text));
    if (!isObject(rules)) throw new Error('it is no JSON object');
    const { disabled_endpoints: disabled = {} } = rules;
    if (!isObject(disabled)) throw new Error('"disabled_endpoints" is no JSON object');
    const { paths = [] } = disabled;
    if (!Array.isArray(paths) || !paths.every((path) => typeof path === 'string')) {
      throw new Error('"disabled_endpoints.paths" is no list of texts');
    }
    return new Set(paths.map(absolute));
  };
}

/** The words of Mesos; undefined: the endpoint is open. */
export function disabledText(
  disabled: DisabledEndpoints,
  ...paths: readonly string[]
): string | undefined {
  if (disabled.size === 0) return undefined;
  const found = paths.find((path) => disabled.has(path));
  return found === undefined ? undefined : `Endpoint '${found}' is disabled`;
}
