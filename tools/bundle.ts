// Bundles the program: one entry with lazily loaded chunks, because executors and commands start
// often and the memory is per process (0.1 s and 45 MB bundled, 0.7 s from sources).
import { mkdirSync, readdirSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { writeExplainDescriptions } from './explain-descriptions.ts';

const root = join(import.meta.dirname, '..');
const target = join(root, 'build/strata');

const requireBanner = [
  "import { createRequire as createRequireForBundle } from 'node:module';",
  'const require = createRequireForBundle(import.meta.url);',
].join(' ');

export async function bundle(): Promise<void> {
  const staging = join(root, `build/strata.${process.pid}`);
  mkdirSync(staging, { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: { strata: 'src/bin/strata.ts', ...workers() },
    outdir: staging,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'none',
    // Native or loaded by path: left to node_modules, which lies beside build/.
    external: ['@lydell/node-pty'],
    // CommonJS packages inside an ES module ask for `require`.
    banner: { js: requireBanner },
    logLevel: 'warning',
  });
  // Renaming a folder over a full one is not possible; running programs keep what they loaded.
  const old = `${target}.old.${process.pid}`;
  try {
    renameSync(target, old);
  } catch {
    // First build: there is nothing to set aside.
  }
  renameSync(staging, target);
  rmSync(old, { recursive: true, force: true });
  writeExplainDescriptions();
  utimesSync(join(target, 'strata.js'), new Date(), new Date());
}

/** Files named *-worker.ts run in threads of their own and need a file of their own. */
function workers(): Record<string, string> {
  const names = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  const found = names.filter((name) => name.endsWith('-worker.ts'));
  return Object.fromEntries(
    found.map((name) => [name.split('/').at(-1)?.replace(/\.ts$/, '') ?? name, `src/${name}`]),
  );
}

if (import.meta.main) await bundle();
