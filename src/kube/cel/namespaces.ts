// Names such as `sets` and `format` whose functions are written `sets.contains(a, b)`: values of a type of
// their own, so that the functions are methods of it.
import type { Environment } from '@marcbachmann/cel-js';

/** No function of ours waits for anything. */
export const sync = { async: false } as const;

/** All of them: no values, though they stand before a dot. */
export const namespaces: ReadonlySet<string> = new Set([
  'ip',
  'sets',
  'lists',
  'strings',
  'format',
  'optional',
  'jsonpatch',
]);

/** Makes the name known and returns the type that its functions are to be registered on. */
export function namespaceFor(env: Environment, name: string): string {
  const type = `${name[0]?.toUpperCase() ?? ''}${name.slice(1)}Namespace`;
  const holder = { [type]: class {} }[type] as new () => object;
  env.registerType(type, holder);
  env.registerConstant(name, type, new holder());
  return type;
}

type Handler = (left: never, right: never) => unknown;

export function operator(env: Environment, signature: string, handler: Handler): void {
  const register = env.registerOperator.bind(env) as (...args: unknown[]) => unknown;
  register(signature, handler, sync);
}
