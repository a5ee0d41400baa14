// A CSI plugin for tests, of this repository's own (`native/csi-plugin`: no real one is to be had that runs alone), on
// the official Go bindings and grpc-go, built once.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './cluster.ts';

export type BuiltPlugin =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly reason: string };

export async function csiPlugin(): Promise<BuiltPlugin> {
  const source = join(root, 'test/support/native/csi-plugin');
  const folder = join(root, 'build/native');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'csi-plugin');
  const options = { timeoutMs: 300_000 };
  const made = await run(['go', 'build', '-C', source, '-mod=readonly', '-o', path, '.'], options);
  if (made.status === 0) return { ok: true, path };
  return { ok: false, reason: `no CSI plugin: ${made.stderr.slice(-200)}` };
}
