// Bundles the program: one entry with lazily loaded chunks, because executors and commands start
// often and the memory is per process (0.1 s and 45 MB bundled, 0.7 s from sources).
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { gzipSync } from 'node:zlib';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import type { Descriptions } from '#kube/openapi/texts.ts';
import {
  allDocuments,
  fileOf,
  hashOf,
  OPEN_API_V2,
  type MadeDocument,
} from '#kube/openapi/made-documents.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { compileAhead } from './compile-ahead.ts';
import { writeExplainDescriptions } from './explain-descriptions.ts';

const root = join(import.meta.dirname, '..');
const target = join(root, 'build/strata');

const requireBanner = [
  "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);",
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
    // Source text stays in memory for as long as the program runs; the maps tell the lines.
    minifyWhitespace: true,
    // Native or loaded by path: left to node_modules, which lies beside build/.
    external: ['@lydell/node-pty'],
    // CommonJS packages inside an ES module ask for `require`.
    banner: { js: requireBanner },
    plugins: [leanBuiltins],
    logLevel: 'warning',
  });
  dropIdleBanners(staging);
  writeExplainDescriptions();
  writeOpenApi(join(staging, 'openapi'));
  // Renaming a folder over a full one is not possible; running programs keep what they loaded.
  const old = `${target}.old.${process.pid}`;
  try {
    renameSync(target, old);
  } catch {
    // First build: there is nothing to set aside.
  }
  renameSync(staging, target);
  rmSync(old, { recursive: true, force: true });
  utimesSync(join(target, 'strata.js'), new Date(), new Date());
  // Where nothing can be started or written all is compiled when it is wanted.
  await compileAhead(join(target, 'strata.js')).catch((error: unknown) => {
    process.stderr.write(`Nothing is compiled ahead: ${String(error)}\n`);
  });
}

/** A file that never asks for `require` makes none; its line stays, so that source maps hold. */
function dropIdleBanners(folder: string): void {
  for (const name of readdirSync(folder).filter((one) => one.endsWith('.js'))) {
    const path = join(folder, name);
    const text = readFileSync(path, 'utf8').replace(requireBanner, '');
    if (!/\brequire\b/.test(text)) writeFileSync(path, text);
  }
}

/** The documents of the built-in kinds, which the API server sends as they are. */
function writeOpenApi(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const descriptions = join(root, 'build/explain-descriptions.json');
  const known = existsSync(descriptions)
    ? (JSON.parse(readFileSync(descriptions, 'utf8')) as Descriptions)
    : {};
  const index: Record<string, MadeDocument> = {};
  for (const { path, text } of allDocuments(new TypeRegistry(), known)) {
    const bytes = Buffer.from(text);
    // The others are sent as they are (apiserver/openapi-answers.ts).
    const isPacked = path === OPEN_API_V2;
    const file = join(folder, fileOf(path));
    writeFileSync(file, bytes);
    if (isPacked) writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
    index[path] = { hash: hashOf(text), isPacked };
  }
  writeFileSync(join(folder, 'index.json'), JSON.stringify(index));
}

/**
 * An import of a built-in module as a module reads each of its exports, and many are getters that load more:
 * `node:http` all of undici, `node:fs` readline, `node:util` assert and difference. That is 4 MB resident in every
 * process, 12 with `node:http`, for what is never used. Here what is used is taken by its name, and nothing else.
 */
const leanBuiltins: Plugin = {
  name: 'lean-builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?[a-z0-9_/]+$/ }, ({ kind, path }) =>
      kind === 'import-statement' && isBuiltin(path)
        ? { path: path.replace(/^(node:)?/, 'node:'), namespace: 'lean', sideEffects: false }
        : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'lean' }, ({ path }) => {
      const names = Object.keys(process.getBuiltinModule(path) ?? {});
      const usable = names.filter((name) => /^[A-Za-z_$][\w$]*$/.test(name) && name !== 'default');
      return {
        contents: [
          `const builtin = process.getBuiltinModule('${path}');`,
          // Only what nobody uses may be left out, getter or not.
          ...usable.map(
            (name) => `export const ${name} = /* @__PURE__ */ (() => builtin.${name})();`,
          ),
          'export default builtin;',
        ].join('\n'),
      };
    });
  },
};

/** Files named *-worker.ts run in threads of their own and need a file of their own. */
function workers(): Record<string, string> {
  const names = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  const found = names.filter((name) => name.endsWith('-worker.ts'));
  return Object.fromEntries(
    found.map((name) => [name.split('/').at(-1)?.replace(/\.ts$/, '') ?? name, `src/${name}`]),
  );
}

if (import.meta.main) await bundle();
