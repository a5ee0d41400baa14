// `./strata test`: every check and every test, in the order in which they are cheap to fail, with one
// closing line. `./strata test --only unit` runs one stage; each skip says why.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { bundle } from './bundle.ts';
import { alone } from './tests-alone.ts';

const root = join(import.meta.dirname, '..');
const bin = (name: string): string => join(root, 'node_modules/.bin', name);

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

interface Stage {
  readonly name: string;
  readonly run: () => Promise<Tally>;
}

const STAGE_MS_MAX = 20 * 60_000;

interface ExecuteOptions {
  readonly quiet?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program, showing its output; gives its exit status and what it printed. */
function execute(
  command: readonly string[],
  options: ExecuteOptions = {},
): Promise<{ status: number; output: string }> {
  return new Promise((done) => {
    const child = spawn(command[0] ?? '', command.slice(1), {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ...options.env,
        PATH: `${join(process.execPath, '..')}:${process.env['PATH']}`,
      },
    });
    let output = '';
    const timer = setTimeout(() => {
      output += '\ntime is over\n';
      child.kill('SIGKILL');
    }, STAGE_MS_MAX);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        output += text;
        if (options.quiet !== true) process.stdout.write(text);
      });
    }
    child.on('close', (code) => {
      clearTimeout(timer);
      done({ status: code ?? 1, output });
    });
  });
}

/** A check is one pass or one failure; its output matters only when it fails. */
function check(name: string, command: readonly string[]): Stage {
  return {
    name,
    async run() {
      const { status, output } = await execute(command, { quiet: true });
      if (status !== 0) process.stdout.write(output);
      return { passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, skipped: 0 };
    },
  };
}

function testFiles(folders: readonly string[]): string[] {
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.test.ts'))
        .map((name) => join(folder, name)),
    )
    .sort();
}

function tallyOf(output: string, status: number): Tally {
  const last = (word: string): number => {
    const all = [...output.matchAll(new RegExp(`^ℹ ${word} (\\d+)`, 'gm'))];
    return Number(all.at(-1)?.[1] ?? 0);
  };
  const tally = { passed: last('pass'), failed: last('fail') + last('cancelled'), skipped: 0 };
  tally.skipped = last('skipped') + last('todo');
  // A runner that died has no summary, or one that does not tell.
  if (status !== 0 && tally.failed === 0) tally.failed = 1;
  return tally;
}

/** Failures and skips with their reasons are shown; the passing tests are counted. */
function showTests(output: string): void {
  const lines = output.split('\n').filter((line) => /^\s*(﹣|- ).*(SKIP|skip)|# SKIP/.test(line));
  for (const line of lines) process.stdout.write(`  skipped: ${line.trim()}\n`);
  const start = output.indexOf('✖ failing tests:');
  if (start >= 0) process.stdout.write(`${output.slice(start)}\n`);
}

/**
 * What was compiled once is read the next time, by the tests and by the parts that they start from `src`: that is half
 * of what most of them cost. Not where parts run as their users have them.
 */
const COMPILED = { NODE_COMPILE_CACHE: join(root, 'build/compile-cache') };

interface TestOptions {
  readonly concurrency?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** All files when absent. */
  readonly only?: (file: string) => boolean;
}

function tests(name: string, folders: readonly string[], options: TestOptions = {}): Stage {
  const { concurrency = 1, env = COMPILED, only = () => true } = options;
  return {
    name,
    async run() {
      const files = testFiles(folders).filter(only);
      const runner = [process.execPath, '--test', '--test-reporter=spec', '--test-timeout=600000'];
      const command = [...runner, `--test-concurrency=${concurrency}`, ...files];
      const { status, output } = await execute(command, { quiet: true, env });
      showTests(output);
      const tally = tallyOf(output, status);
      if (tally.failed > 0 && !output.includes('failing tests:')) process.stdout.write(output);
      return tally;
    },
  };
}

const folders = ['src', 'sim', 'bench', 'test', 'tools'].filter((one) =>
  existsSync(join(root, one)),
);

/** Plays the stories of `scenarios/` and compares what happens with what stands there. */
const isTranscript = (file: string): boolean => file.endsWith('/transcript.test.ts');

const isAlone = (file: string): boolean => basename(file) in alone;

const stages: readonly Stage[] = [
  check('format', [bin('oxfmt'), '--check', ...folders]),
  check('lint', [bin('oxlint'), '--quiet', ...folders]),
  check('types', [bin('tsc'), '--noEmit', '-p', '.']),
  check('borders', [process.execPath, 'tools/tidy.ts']),
  tests('unit', ['src', 'tools', 'test/support'], {
    concurrency: 2,
    only: (file) => !isTranscript(file),
  }),
  tests('transcripts', ['src'], { concurrency: 2, only: isTranscript }),
  tests('simulation', ['sim'], { concurrency: 2 }),
  tests('conformance', ['test/conformance'], { concurrency: 2, only: (file) => !isAlone(file) }),
  tests('conformance alone', ['test/conformance'], { only: isAlone }),
  tests('benchmarks at small size', ['bench'], { env: {} }),
  tests('end to end', ['test/e2e'], { env: {} }),
];

const help = `Usage: strata test [options]

run every check and every test; the last line is "N passed, N failed, N skipped"

Options:
  --only <stage>  run this stage; may be given several times: ${stages.map(({ name }) => name).join(', ')}
  -h, --help      display help for command
`;

/** The stages that are wanted, none for all; a text to show, and the exit status, when nothing is to run. */
function readArguments(
  words: readonly string[],
): { only: ReadonlySet<string> } | { show: string; status: number } {
  const wrong = (message: string) => ({ show: `error: ${message}\n\n${help}`, status: 1 });
  const only = new Set<string>();
  for (let at = 0; at < words.length; at++) {
    const [word = '', attached] = (words[at] ?? '').split('=', 2);
    if (word === '-h' || word === '--help') return { show: help, status: 0 };
    if (word === '--no-install') continue;
    if (word !== '--only') return wrong(`unknown argument '${words[at]}'`);
    const stage = attached ?? words[++at] ?? '';
    if (!stages.some(({ name }) => name === stage)) return wrong(`unknown stage '${stage}'`);
    only.add(stage);
  }
  return { only };
}

async function main(): Promise<void> {
  const wanted = readArguments(process.argv.slice(2));
  if ('show' in wanted) {
    (wanted.status === 0 ? process.stdout : process.stderr).write(wanted.show);
    process.exitCode = wanted.status;
    return;
  }
  const { only } = wanted;
  mkdirSync(join(root, 'build'), { recursive: true });
  await bundle();
  const total: Tally = { passed: 0, failed: 0, skipped: 0 };
  for (const stage of stages) {
    if (only.size > 0 && !only.has(stage.name)) continue;
    const started = performance.now();
    const tally = await stage.run();
    total.passed += tally.passed;
    total.failed += tally.failed;
    total.skipped += tally.skipped;
    const seconds = ((performance.now() - started) / 1_000).toFixed(1);
    const numbers = `${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`;
    process.stdout.write(`[${stage.name}] ${numbers} (${seconds} s)\n`);
  }
  const { passed, failed, skipped } = total;
  process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

await main();
