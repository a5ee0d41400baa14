// Checks what formatter, linter and compiler do not: import directions, file and function lengths,
// line lengths, banned calls in cores, forbidden file names, comments at the top of a file.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const root = join(import.meta.dirname, '..');
const FILE_LINES_MAX = 600;
// The formatter keeps code at 100; comments and texts that it cannot break have some room.
const LINE_COLUMNS_MAX = 120;

/** Folder -> what it may import beside itself. Longest match wins. */
const directions: Record<string, readonly string[]> = {
  base: [],
  codec: ['base'],
  wire: ['base', 'codec'],
  http2: ['base'],
  containerd: ['base', 'codec', 'env'],
  env: ['base'],
  'env/conformance': ['base', 'env'],
  'env/node': ['base', 'env', 'containerd'],
  'env/sim': ['base', 'env'],
  store: ['base', 'codec', 'env'],
  supervisor: ['base', 'env'],
  'mesos/resources': ['base', 'wire/mesos'],
  'mesos/allocator': ['base', 'wire/mesos', 'mesos/resources'],
  'mesos/libprocess': ['base', 'codec', 'wire/mesos', 'env', 'mesos/security'],
  'mesos/client': ['base', 'codec', 'wire/mesos', 'env', 'mesos/security'],
  'mesos/flags': ['base'],
  'mesos/validation': ['base', 'wire/mesos'],
  'mesos/security': ['base', 'codec', 'wire/mesos', 'env', 'mesos/flags', 'mesos/resources'],
  'mesos/registry': ['base', 'codec', 'wire/mesos', 'env', 'store'],
  'mesos/election': ['base', 'codec', 'wire/mesos', 'env', 'store'],
  'mesos/executor': ['base', 'codec', 'wire/mesos', 'env', 'mesos/resources'],
  'mesos/master': [
    'base',
    'codec',
    'wire/mesos',
    'env',
    'store',
    'mesos/resources',
    'mesos/allocator',
    'mesos/registry',
    'mesos/libprocess',
    'mesos/security',
    'mesos/flags',
    'mesos/validation',
  ],
  'mesos/provider': [
    'base',
    'codec',
    'wire/mesos',
    'env',
    'mesos/resources',
    'mesos/client',
    'mesos/security',
  ],
  'mesos/agent': [
    'base',
    'codec',
    'containerd',
    'wire/mesos',
    'env',
    'mesos/resources',
    'mesos/executor',
    'mesos/provider',
    'mesos/libprocess',
    'mesos/security',
    'mesos/flags',
    'mesos/validation',
  ],
  'kube/cel': ['base', 'kube/meta'],
  'kube/types': ['base', 'codec', 'kube/meta'],
  'kube/meta': ['base', 'kube/types'],
  'kube/openapi': ['base', 'kube/meta', 'kube/types'],
  'kube/pki': ['base', 'env'],
  'kube/streaming': ['base', 'env'],
  'kube/cri': ['base', 'env'],
  'kube/apiserver': [
    'base',
    'env',
    'store',
    'http2',
    'kube/cel',
    'kube/meta',
    'kube/types',
    'kube/openapi',
    'kube/pki',
    'kube/streaming',
  ],
  'kube/client': ['base', 'env', 'kube/meta'],
  'kube/scheduler': ['base', 'env', 'kube/meta', 'kube/client'],
  'kube/controllers': ['base', 'env', 'kube/cel', 'kube/meta', 'kube/client', 'kube/pki'],
  'kube/framework': [
    'base',
    'env',
    'wire/mesos',
    'kube/meta',
    'kube/client',
    'kube/scheduler',
    'mesos/client',
    'mesos/resources',
  ],
  'kube/node': [
    'base',
    'env',
    'wire/mesos',
    'kube/meta',
    'kube/client',
    'kube/streaming',
    'kube/cri',
    'mesos/client',
  ],
  cli: [
    'base',
    'env',
    'store',
    'wire/mesos',
    'mesos/client',
    'mesos/election',
    'mesos/security',
    'kube/client',
    'supervisor',
  ],
};

/** Files that may be longer, each with its reason. */
const longFiles: Record<string, string> = {
  'test/support/kube-corpus.ts': 'a table of requests',
};

const forbiddenNames = /^(index|mod|utils?|common|helpers?)\.ts$/;
const bannedInCores: readonly (readonly [RegExp, string])[] = [
  [/\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(/, 'time comes in as an argument'],
  [/\bMath\.random\(|\brandomUUID\(/, 'randomness comes in through a port'],
  [/\bset(Timeout|Interval|Immediate)\(/, 'cores return effects instead of setting timers'],
  [/\bawait\b|\basync\b/, 'cores are synchronous'],
  [/from 'node:/, 'cores touch no platform'],
];

const problems: string[] = [];

function listFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`);
}

function areaOf(path: string): string | undefined {
  const inside = path.replace(/^src\//, '');
  let found: string | undefined;
  for (const area of Object.keys(directions)) {
    if ((inside === area || inside.startsWith(`${area}/`)) && area.length > (found?.length ?? -1))
      found = area;
  }
  return found;
}

function isAllowed(from: string, to: string): boolean {
  const fromArea = areaOf(from);
  if (fromArea === undefined) return true;
  const inside = to.replace(/^src\//, '');
  if (areaOf(to) === fromArea) return true;
  return (directions[fromArea] ?? []).some(
    (area) => inside.startsWith(`${area}/`) && (area !== 'env' || !inside.startsWith('env/node/')),
  );
}

interface Import {
  readonly path: string;
  readonly isType: boolean;
}

function importsOf(text: string): Import[] {
  const found: Import[] = [];
  for (const match of text.matchAll(/^(?:import|export)\s+(type\s+)?[^'"]*?from\s+'([^']+)'/gm)) {
    found.push({ path: match[2] ?? '', isType: match[1] !== undefined });
  }
  for (const match of text.matchAll(/\bimport\('([^']+)'\)/g))
    found.push({ path: match[1] ?? '', isType: false });
  return found;
}

function target(file: string, path: string): string | undefined {
  if (/^#(test|sim|bench|tools)\//.test(path)) return path.slice(1);
  if (path.startsWith('#')) return `src/${path.slice(1)}`;
  if (path.startsWith('.')) return relative(root, resolve(root, dirname(file), path));
  return undefined;
}

const graph = new Map<string, string[]>();

function checkImports(file: string, text: string): void {
  const edges: string[] = [];
  const isTest = file.endsWith('.test.ts');
  for (const { path, isType } of importsOf(text)) {
    // The package's own description lies above every area.
    if (path === '../../package.json') continue;
    if (path.startsWith('../'))
      problems.push(`${file}: "${path}": write cross-folder imports as #area/file.ts`);
    const to = target(file, path);
    if (to === undefined) continue;
    if (!isType) edges.push(to);
    if (!isTest && file.startsWith('src/') && !isAllowed(file, to)) {
      problems.push(`${file}: may not import ${to} (see the table of directions in tools/tidy.ts)`);
    }
  }
  graph.set(file, edges);
}

const generated = /^src\/(wire|kube\/types\/generated)\//;

function checkText(file: string, text: string): void {
  const lines = text.split('\n');
  if (!text.startsWith('//'))
    problems.push(`${file}:1: opens with no comment on what it is and for whom`);
  if (lines.length > FILE_LINES_MAX && longFiles[file] === undefined) {
    problems.push(`${file}: ${lines.length} lines, at most ${FILE_LINES_MAX}`);
  }
  lines.forEach((line, index) => {
    if (line.length > LINE_COLUMNS_MAX && !/['"`]/.test(line)) {
      problems.push(`${file}:${index + 1}: ${line.length} columns, at most ${LINE_COLUMNS_MAX}`);
    }
    if (/\b(FIXME|XXX)\b|\bTODO\b/.test(line) && file !== 'tools/tidy.ts') {
      problems.push(`${file}:${index + 1}: unfinished work belongs into an issue`);
    }
  });
  const isCore = /(^|\/|-)core\.ts$/.test(file);
  if (!isCore) return;
  const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  for (const [pattern, reason] of bannedInCores) {
    if (pattern.test(code)) problems.push(`${file}: ${String(pattern)} in a core: ${reason}`);
  }
}

/** Tarjan's strongly connected components over value imports. */
function checkCycles(): void {
  let counter = 0;
  const numbers = new Map<string, number>();
  const lows = new Map<string, number>();
  const stack: string[] = [];
  const onStack = new Set<string>();
  const visit = (file: string): void => {
    numbers.set(file, counter);
    lows.set(file, counter);
    counter += 1;
    stack.push(file);
    onStack.add(file);
    for (const next of graph.get(file) ?? []) {
      if (!graph.has(next)) continue;
      if (!numbers.has(next)) {
        visit(next);
        lows.set(file, Math.min(lows.get(file) ?? 0, lows.get(next) ?? 0));
      } else if (onStack.has(next)) {
        lows.set(file, Math.min(lows.get(file) ?? 0, numbers.get(next) ?? 0));
      }
    }
    if (lows.get(file) !== numbers.get(file)) return;
    const knot: string[] = [];
    for (let popped = stack.pop(); popped !== undefined; popped = stack.pop()) {
      onStack.delete(popped);
      knot.push(popped);
      if (popped === file) break;
    }
    if (knot.length > 1) problems.push(`import cycle: ${knot.join(' -> ')}`);
  };
  for (const file of graph.keys()) if (!numbers.has(file)) visit(file);
}

/** What a newcomer finds at the top, beside folders: anything else there is left over. */
const topFiles = new Set([
  '.gitignore',
  '.npmrc',
  '.oxfmtrc.json',
  '.oxlintrc.json',
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'STYLE.md',
  'package-lock.json',
  'package.json',
  'strata',
  'tsconfig.json',
]);

function checkTop(): void {
  const listed = spawnSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' });
  if (listed.status !== 0) return; // An unpacked archive has no index to ask.
  for (const file of listed.stdout.split('\0')) {
    if (file !== '' && !file.includes('/') && !topFiles.has(file)) {
      problems.push(`${file}: does not belong at the top`);
    }
  }
}

const folders = ['src', 'sim', 'bench', 'test', 'tools'];
const files = folders.filter((folder) => existsSync(join(root, folder))).flatMap(listFiles);
for (const file of files) {
  const text = readFileSync(join(root, file), 'utf8');
  if (forbiddenNames.test(file.split('/').at(-1) ?? '')) {
    problems.push(`${file}: name a file by the noun in it`);
  }
  checkImports(file, text);
  if (!generated.test(file)) checkText(file, text);
}
checkCycles();
checkTop();
for (const problem of problems.sort()) process.stdout.write(`${problem}\n`);
process.stdout.write(`tidy: ${files.length} files, ${problems.length} problems\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
