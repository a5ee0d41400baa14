// --modules, --modules_dir and --hooks: shared libraries of Mesos. None can be loaded into this program, so
// a list that names one is refused, in Mesos' words as far as they go; an empty one is as good as none.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { valueOrFile } from './flag-table.ts';

interface Modules {
  readonly libraries?: readonly { readonly file?: string; readonly name?: string }[];
}

function refuseLibraries(text: string): void {
  const { libraries = [] } = JSON.parse(text) as Modules;
  const [first] = libraries;
  if (first === undefined) return;
  const name = first.file ?? (first.name === undefined ? undefined : `lib${first.name}.so`);
  if (name === undefined) throw new Error('Library name or path not provided');
  throw new Error(
    `Error loading modules: Error opening library: '${name}': this program loads no shared libraries`,
  );
}

/** Throws with why it cannot be had. */
export function noModules(text: string): void {
  if (text !== '') refuseLibraries(valueOrFile(text));
}

/** A folder of lists. */
export function noModulesIn(text: string): void {
  if (text === '') return;
  const folder = text.replace(/^file:\/\//, '');
  for (const name of readdirSync(folder)) refuseLibraries(readFileSync(join(folder, name), 'utf8'));
}

export function noHooks(text: string): void {
  const [first] = text.split(',').filter(Boolean);
  if (first === undefined) return;
  throw new Error(`Error installing hooks: No hook module named '${first}' available`);
}
