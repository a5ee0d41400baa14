// Where programs of the real Kubernetes are, for tests that run them; they are no part of this project.
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = process.env['STRATA_REAL_KUBERNETES'] ?? join(tmpdir(), 'k8s-peers/bin');

export function realProgram(name: string): string {
  return join(folder, name);
}

/** A test's `skip`: false, or the reason; `how`: what brings the programs there. */
export function skipWithout(names: readonly string[], how?: string): false | string {
  const missing = names.filter((name) => !existsSync(realProgram(name)));
  if (missing.length === 0) return false;
  const hint = how === undefined ? '' : `; ${how}`;
  return `no ${missing.join(' and ')} in ${folder} (STRATA_REAL_KUBERNETES names the folder${hint})`;
}
