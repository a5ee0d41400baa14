// Runs upstream's own integration tests, which start an API server in their process, against ours, and
// unchanged beside that: `node tools/run-kube-integration.ts BIN PACKAGE... [--run REGEX]`. BIN holds etcd.
// PACKAGE is a folder below k8s.io/kubernetes/test/integration, such as `apiserver/apply`. Go and its module
// proxy are needed; what is built stays in `--folder`. `--only ours|upstream` runs one side, `--quick` takes what
// was built before. With `--suite extensions` the tests are those of k8s.io/apiextensions-apiserver/test/integration
// (PACKAGE `.` and `conversion`). Every test runs in a process of its own; outcomes are written to FOLDER/PACKAGE.SIDE.json.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { parseArgs, promisify } from 'node:util';

const MODULE = 'k8s.io/kubernetes';
const VERSION = 'v1.37.2';
const STAGING = 'v0.37.2';
const root = join(import.meta.dirname, '..');
const sources = join(root, 'test/clients');

interface Suite {
  readonly module: string;
  readonly version: string;
  /** Our files, and those of the module that they stand for, or are new in; the first starts the server. */
  readonly replaced: readonly (readonly [from: string, to: string])[];
  /** Functions that ours are called like. */
  readonly renamed?: readonly (readonly [file: string, from: string, to: string])[];
}

const suites: Readonly<Record<string, Suite>> = {
  kubernetes: {
    module: MODULE,
    version: VERSION,
    replaced: [
      ['kube-integration/testserver/testserver.go', 'cmd/kube-apiserver/app/testing/testserver.go'],
      ['kube-integration/framework/framework.go', 'test/integration/framework/test_server.go'],
      ['kube-integration/etcd/server.go', 'test/integration/etcd/strata_server.go'],
    ],
    renamed: [['test/integration/etcd/server.go', 'StartRealAPIServerOrDie', 'startInProcess']],
  },
  extensions: {
    module: 'k8s.io/apiextensions-apiserver',
    version: STAGING,
    replaced: [['kube-extensions/testserver.go', 'pkg/cmd/server/testing/testserver.go']],
  },
};

type Side = 'ours' | 'upstream';

interface Outcome {
  readonly test: string;
  /** `cut`: neither passed nor failed before the time was over, or the process ended. */
  readonly outcome: 'pass' | 'fail' | 'skip' | 'cut';
  readonly seconds: number;
  readonly output: string;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    run: { type: 'string', default: '.' },
    skip: { type: 'string' },
    only: { type: 'string' },
    suite: { type: 'string', default: 'kubernetes' },
    folder: { type: 'string', default: join(tmpdir(), 'strata-kube-integration') },
    timeout: { type: 'string', default: '300' },
    quick: { type: 'boolean', default: false },
  },
});
const [bin = '', ...packages] = positionals;
const { folder } = values;
const suite = suites[values.suite];
if (suite === undefined) throw new Error(`--suite: ${Object.keys(suites).join(' or ')}`);
const timeoutMs = Number(values.timeout) * 1_000;
const goEnv = {
  ...process.env,
  GOFLAGS: '-mod=mod -trimpath -p=2 -buildvcs=false',
  CGO_ENABLED: '0',
  GOTOOLCHAIN: 'local',
};

async function go(cwd: string, args: readonly string[]): Promise<string> {
  const options = { cwd, env: goEnv, maxBuffer: 64 << 20 };
  return (await promisify(execFile)('go', args, options)).stdout;
}

/** Folder of a module as it was published. */
async function download(module: string, version: string): Promise<string> {
  const folderOfGet = join(folder, 'get');
  mkdirSync(folderOfGet, { recursive: true });
  writeFileSync(join(folderOfGet, 'go.mod'), 'module strata/get\n\ngo 1.26.0\n');
  const answer = await go(folderOfGet, ['mod', 'download', '-json', `${module}@${version}`]);
  return (JSON.parse(answer) as { Dir: string }).Dir;
}

/** The requirements of Kubernetes, its parts that are published by themselves in the version that goes with it. */
function mainModule(kubernetes: string, replaced: string | undefined): string {
  const { module } = suite ?? {};
  const lines = readFileSync(join(kubernetes, 'go.mod'), 'utf8').split('\n');
  const parts = lines.flatMap((line) => /^\s+(k8s\.io\/\S+) => \.\/staging/.exec(line)?.[1] ?? []);
  const required: string[] = [];
  let isInside = false;
  for (const line of lines) {
    isInside ||= line === 'require (';
    if (isInside) required.push(line.replace(/^(\tk8s\.io\/[\w-]+) v0\.0\.0$/, `$1 ${STAGING}`));
    if (line === ')') isInside = false;
  }
  return [
    'module strata/integration\n\ngo 1.26.0\n\ngodebug default=go1.26\n',
    `require ${MODULE} ${VERSION}\n`,
    ...required,
    'replace (',
    ...parts
      .filter((part) => replaced === undefined || part !== module)
      .map((part) => `\t${part} => ${part} ${STAGING}`),
    ...(replaced === undefined ? [] : [`\t${module} => ${replaced}`]),
    ')\n',
  ].join('\n');
}

/** Where tests are run, and where our files lie: Go lets nobody put others over those of its module cache. */
const copy = join(folder, values.suite);

/** With the API's examples where a checkout of Kubernetes has them. */
function copyModule(published: string, api: string): void {
  if (!existsSync(copy)) {
    const half = `${copy}.${process.pid}`;
    cpSync(published, half, { recursive: true, mode: 0 });
    cpSync(half, copy, { recursive: true });
    rmSync(half, { recursive: true, force: true });
  }
  const staging = join(copy, 'staging/src/k8s.io');
  mkdirSync(staging, { recursive: true });
  if (!existsSync(join(staging, 'api'))) symlinkSync(api, join(staging, 'api'));
}

function prepare(side: Side, kubernetes: string, published: string): string {
  const main = join(folder, `module-${side}-${values.suite}`);
  mkdirSync(main, { recursive: true });
  if (side === 'ours') {
    for (const [from, to] of suite?.replaced ?? []) {
      rmSync(join(copy, to), { force: true });
      writeFileSync(join(copy, to), readFileSync(join(sources, from)));
    }
    for (const [file, from, to] of suite?.renamed ?? []) {
      const text = readFileSync(join(published, file), 'utf8');
      rmSync(join(copy, file));
      writeFileSync(join(copy, file), text.replaceAll(`func ${from}(`, `func ${to}(`));
    }
  }
  const replaced = side === 'ours' ? copy : undefined;
  writeFileSync(join(main, 'go.mod'), mainModule(kubernetes, replaced));
  writeFileSync(join(main, 'go.sum'), readFileSync(join(kubernetes, 'go.sum')));
  writeFileSync(join(main, 'main.go'), 'package integration\n');
  return main;
}

/** Where upstream keeps certificates that it made for tests. */
function makeFixtures({ module, version, replaced: [[, server] = ['', '']] }: Suite): void {
  const own = `fixtures/${module}@${version}/${dirname(server)}/testdata`;
  mkdirSync(join(folder, own), { recursive: true });
}

const pathOf = (name: string): string =>
  `${suite?.module}/test/integration${name === '.' ? '' : `/${name}`}`;

const slugOf = (name: string): string => (name === '.' ? 'root' : name.replaceAll('/', '-'));

/** Called as Go calls it: who wrote what is told by the program's name. */
const programOf = (side: Side, name: string): string =>
  join(folder, `${side}-${values.suite}-${slugOf(name)}`, `${basename(pathOf(name))}.test`);

async function build(side: Side, main: string): Promise<void> {
  for (const name of packages) {
    const program = programOf(side, name);
    if (values.quick && existsSync(program)) continue;
    mkdirSync(dirname(program), { recursive: true });
    await go(main, ['test', '-c', '-vet=off', '-ldflags=-s -w', '-o', program, pathOf(name)]);
  }
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => done(port));
    });
  });
}

async function startEtcd(data: string): Promise<{ url: string; child: ChildProcess }> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const peers = `http://127.0.0.1:${await freePort()}`;
  const args = ['--data-dir', data, '--listen-client-urls', url, '--advertise-client-urls', url];
  args.push('--listen-peer-urls', peers, '--log-level', 'error');
  args.push('--initial-advertise-peer-urls', peers, '--initial-cluster', `default=${peers}`);
  const child = spawn(join(bin, 'etcd'), args, { stdio: 'ignore' });
  for (let tries = 0; tries < 300; tries++) {
    const isUp = await fetch(`${url}/health`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (isUp) return { url, child };
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error('etcd does not start');
}

interface Place {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** What the process says, test by test, as `go tool test2json` tells it. */
function outcomesOf(events: string): Outcome[] {
  const found = new Map<string, { outcome: Outcome['outcome']; seconds: number; output: string }>();
  for (const line of events.split('\n')) {
    if (!line.startsWith('{')) continue;
    const event = JSON.parse(line) as Record<string, string>;
    const { Test: test = '', Action: action = '', Output: output = '' } = event;
    if (test === '') continue;
    const one = found.get(test) ?? { outcome: 'cut', seconds: 0, output: '' };
    found.set(test, one);
    if (action === 'output' && one.output.length < 40_000) one.output += output;
    if (action !== 'pass' && action !== 'fail' && action !== 'skip') continue;
    one.outcome = action;
    one.seconds = Number(event['Elapsed'] ?? 0);
  }
  return [...found].map(([test, one]) => ({ test, ...one }));
}

function runTest(program: string, test: string, { cwd, env }: Place): Promise<Outcome[]> {
  return new Promise((done, fail) => {
    const args = ['tool', 'test2json', '-t', program, '-test.v=test2json', `-test.run=^${test}$`];
    // A group of its own: what a test leaves behind when it is cut ends with it.
    const child = spawn('go', args, {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    child.stderr.resume();
    const end = (): void => {
      try {
        process.kill(-(child.pid ?? 0), 'SIGKILL');
      } catch {
        // All of it has ended.
      }
    };
    const timer = setTimeout(end, timeoutMs);
    child.on('error', fail);
    child.on('exit', () => {
      clearTimeout(timer);
      end();
    });
    child.on('close', () => done(outcomesOf(text)));
  });
}

const REASON = /strata: unsupported ([^\n]*)/;

/** Of what a test said, the line that tells most. */
function reasonOf({ outcome, output }: Outcome): string {
  if (outcome === 'pass') return '';
  const own = REASON.exec(output)?.[1];
  if (outcome === 'skip' && own !== undefined) return `unsupported ${own}`;
  const told = output.split('\n').filter((line) => /^\s+(?!feature_gate)\w+\.go:\d+: /.test(line));
  return (told.at(-1) ?? '').trim().slice(0, 200);
}

async function runSide(side: Side, etcdUrl: string): Promise<void> {
  for (const name of packages) {
    const program = programOf(side, name);
    const cwd = join(copy, 'test/integration', name);
    const scratch = mkdtempSync(join(tmpdir(), 'strata-integration-run-'));
    const place: Place = {
      cwd,
      env: {
        ...process.env,
        PATH: `${bin}${delimiter}${process.env['PATH']}`,
        TMPDIR: scratch,
        KUBE_INTEGRATION_ETCD_URL: etcdUrl,
        // Upstream asks for its own folder's path this way when it is built without paths.
        TEST_SRCDIR: folder,
        TEST_WORKSPACE: 'fixtures',
        STRATA_COMMAND:
          process.env['STRATA_COMMAND'] ??
          `${process.execPath} ${join(root, 'build/strata/strata.js')}`,
      },
    };
    const run = promisify(execFile);
    const { stdout } = await run(program, [`-test.list=${values.run}`], place);
    const skip = values.skip === undefined ? undefined : new RegExp(values.skip);
    const tests = stdout
      .split('\n')
      .filter((one) => one.startsWith('Test') && skip?.test(one) !== true);
    const outcomes: Outcome[] = [];
    for (const test of tests) {
      const found = await runTest(program, test, place);
      if (found.length === 0) found.push({ test, outcome: 'cut', seconds: 0, output: '' });
      outcomes.push(...found);
      const [whole] = found.filter((one) => one.test === test);
      const parts = found.filter((one) => one.test !== test && one.outcome !== 'pass');
      const shown = whole === undefined ? '' : `${whole.outcome} ${whole.seconds}s`;
      process.stdout.write(`${side} ${name} ${test}: ${shown} ${whole && reasonOf(whole)}\n`);
      for (const one of parts.slice(0, 40)) {
        process.stdout.write(`    ${one.test}: ${one.outcome} ${reasonOf(one)}\n`);
      }
    }
    keep(side, name, outcomes);
    rmSync(scratch, { recursive: true, force: true });
  }
}

const fileOf = (side: Side, name: string): string => join(folder, `${slugOf(name)}.${side}.json`);

function outcomesIn(side: Side, name: string): Outcome[] {
  const path = fileOf(side, name);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Outcome[]) : [];
}

/** What was not run again stays as it was. */
function keep(side: Side, name: string, outcomes: readonly Outcome[]): void {
  const top = (test: string): string => test.split('/')[0] ?? test;
  const again = new Set(outcomes.map(({ test }) => top(test)));
  const earlier = outcomesIn(side, name).filter(({ test }) => !again.has(top(test)));
  writeFileSync(fileOf(side, name), `${JSON.stringify([...earlier, ...outcomes], null, 1)}\n`);
}

/** Tests without their parts, side by side. */
function table(): void {
  for (const name of packages) {
    const whole = (side: Side): Map<string, Outcome> =>
      new Map(
        outcomesIn(side, name)
          .filter(({ test }) => !test.includes('/'))
          .map((one) => [one.test, one]),
      );
    const [ours, upstream] = [whole('ours'), whole('upstream')];
    const tests = [...new Set([...upstream.keys(), ...ours.keys()])];
    const counts: Record<string, number> = {};
    for (const test of tests) {
      const [theirs, own] = [upstream.get(test)?.outcome, ours.get(test)?.outcome];
      const key = `upstream ${theirs ?? '-'}, ours ${own ?? '-'}`;
      counts[key] = (counts[key] ?? 0) + 1;
      if (theirs === own) continue;
      const one = ours.get(test);
      const reason = one === undefined ? '' : reasonOf(one);
      process.stdout.write(`${test}\t${theirs ?? '-'}\t${own ?? '-'}\t${reason}\n`);
    }
    process.stdout.write(`${name}: ${tests.length} tests: ${JSON.stringify(counts)}\n`);
  }
}

const kubernetes = await download(MODULE, VERSION);
const published = await download(suite.module, suite.version);
copyModule(published, await download('k8s.io/api', STAGING));
for (const one of Object.values(suites)) makeFixtures(one);
const sides: Side[] = (['upstream', 'ours'] as const).filter(
  (side) => values.only === undefined || values.only === side,
);
for (const side of sides) await build(side, prepare(side, kubernetes, published));
const data = mkdtempSync(join(tmpdir(), 'strata-integration-etcd-'));
const etcd = await startEtcd(data);
try {
  for (const side of sides) await runSide(side, etcd.url);
} finally {
  etcd.child.kill('SIGKILL');
  rmSync(data, { recursive: true, force: true });
}
table();
