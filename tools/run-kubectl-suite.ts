// Plays upstream's own suite of kubectl (test/cmd of Kubernetes) against our API server and controllers, or with --real
// against kube-apiserver and kube-controller-manager started with upstream's flags, and says of each section how it ended:
// `node tools/run-kubectl-suite.ts KUBERNETES BIN [--real] [--out FOLDER] [SECTION...]`.
// KUBERNETES is the folder of the sources (the Go module k8s.io/kubernetes), BIN holds kubectl and kubectl-convert, and
// etcd and the two others for --real. A section is a function as run_pod_tests; none stands for all. FOLDER keeps what
// each said. One section reads the words of OpenAPI, which tools/explain-descriptions.ts makes. With --hold nothing is
// played: the port is told, for questions by hand (token admin-token), until the program is interrupted.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import { startOwnCluster, startRealCluster, type Cluster } from '#test/support/whole-clusters.ts';

/** Of the suite: its scripts, what they read, and the library that they are written with. */
const FOLDERS = [
  'hack/lib',
  'hack/testdata',
  'test/cmd',
  'test/fixtures',
  'test/e2e/testing-manifests',
];
const LIBRARY = 'third_party/forked/shell2junit';
/** A section that takes longer loses the kubectl that it waits for. */
const SECTION_MS = 300_000;
const SERVICES = '10.0.0.0/24';
/** Where the suite reads a file of its own from. */
const FAR = 'https://raw.githubusercontent.com/kubernetes/kubernetes/master';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    real: { type: 'boolean', default: false },
    hold: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
const [sources, bin, ...sections] = positionals;
if (sources === undefined || bin === undefined) {
  throw new Error("Name the folder of Kubernetes' sources and the one of its programs");
}
const home = mkdtempSync(join(tmpdir(), 'strata-kubectl-suite-'));
const suite = join(home, 'suite');
const temporary = join(home, 'tmp');
const out = values.out ?? join(home, 'out');

/** The suite as it is, but its temporary files in a folder of its own (two may run at once), and nothing far away. */
function copySuite(address: string): void {
  for (const folder of [...FOLDERS, LIBRARY]) {
    cpSync(join(sources ?? '', folder), join(suite, folder), { recursive: true });
  }
  const scripts = join(suite, 'test/cmd');
  for (const name of readdirSync(scripts).filter((one) => one.endsWith('.sh'))) {
    const text = readFileSync(join(scripts, name), 'utf8');
    rmSync(join(scripts, name));
    const near = text.replaceAll('/tmp/', `${temporary}/`).replaceAll(FAR, address);
    writeFileSync(join(scripts, name), near);
  }
  // Modules of Go come without this right.
  const plugins = join(suite, 'test/fixtures/pkg/kubectl/plugins');
  for (const one of readdirSync(plugins, { recursive: true })) {
    chmodSync(join(plugins, String(one)), 0o755);
  }
  mkdirSync(temporary);
  mkdirSync(out, { recursive: true });
  mkdirSync(join(suite, '_output/bin'), { recursive: true });
  for (const name of ['kubectl', 'kubectl-convert']) {
    const program = join(bin ?? '', name);
    if (existsSync(program)) copyFileSync(program, join(suite, '_output/bin', name));
  }
}

const flags = {
  'authorization-mode': 'RBAC,AlwaysAllow',
  'token-auth-file': join(suite, 'hack/testdata/auth-tokens.csv'),
  'enable-admission-plugins': 'LimitRanger,ResourceQuota',
  'disable-admission-plugins':
    'ServiceAccount,DefaultStorageClass,DefaultTolerationSeconds,MutatingAdmissionWebhook,' +
    'ValidatingAdmissionWebhook,StorageObjectInUseProtection',
};

async function startOwn(): Promise<Cluster> {
  // The suite looks for its own authority, by this name.
  const authority = '127.0.0.1';
  const own = join(home, 'own');
  const cluster = await startOwnCluster({ home: own, flags, serviceCidr: SERVICES, authority });
  // Where upstream's server leaves its own.
  writeFileSync(join(temporary, 'apiserver.crt'), cluster.caCert);
  return cluster;
}

function startReal(): Promise<Cluster> {
  const signer = join(suite, 'hack/testdata/ca');
  const options = { home: join(home, 'real'), flags, serviceCidr: SERVICES, signer };
  return startRealCluster({ ...options, bin: bin ?? '', certificates: temporary });
}

/** The lines that say why a section failed. */
function failureOf(section: string): string {
  const lines = readFileSync(join(out, `${section}.log`), 'utf8').split('\n');
  const clean = lines.map((line) => stripVTControlCharacters(line).trim());
  const tree = clean.findIndex((line) => line.startsWith('!!!') || line.startsWith('Call tree'));
  const at = clean.findLastIndex((line) => line.includes('FAIL!'));
  const end = tree < 0 ? clean.length : tree;
  const told = at < 0 ? clean.slice(0, end).filter(Boolean).slice(-3) : clean.slice(at, at + 5);
  return told.join(' | ').slice(0, 400);
}

/** Ends what a section waits for, so that it fails and the next one begins. */
function endKubectl(session: number): void {
  spawn('pkill', ['-s', String(session), '-x', 'kubectl'], { stdio: 'ignore' });
}

async function play(port: number): Promise<void> {
  const log = openSync(join(out, 'suite.log'), 'w');
  const script = join(import.meta.dirname, 'run-kubectl-suite.sh');
  const { KUBECONFIG: _own, ...rest } = process.env;
  // Our version has a suffix, which a kubectl that insists on its own does not take.
  const skew = { ALLOW_SKEW: 'yes' };
  const told = {
    PORT: String(port),
    OUT: out,
    SECTIONS: sections.join(' '),
    TMPDIR: temporary,
    ...skew,
  };
  const child = spawn('bash', [script], {
    cwd: suite,
    env: { ...rest, ...told, ARTIFACTS: join(home, 'artifacts'), KUBE_ROOT: suite },
    detached: true,
    stdio: ['ignore', log, log, 'pipe'],
  });
  const ended = once(child, 'close');
  let watch: NodeJS.Timeout | undefined;
  let passed = 0;
  let failed = 0;
  for await (const line of createInterface({ input: child.stdio[3] as Readable })) {
    const [what, name = '', status, seconds] = line.split(' ');
    clearInterval(watch);
    if (what === 'begin') {
      watch = setInterval(() => endKubectl(child.pid ?? 0), SECTION_MS);
      continue;
    }
    const isPassed = status === '0';
    if (isPassed) passed++;
    else failed++;
    const why = isPassed ? '' : `: ${failureOf(name)}`;
    process.stdout.write(`${isPassed ? 'passed' : 'failed'} ${name} ${seconds} s${why}\n`);
  }
  const [status] = (await ended) as [number | null];
  // Parts of the suite stand between its sections: they end it when they fail.
  const whole = status === 0 ? 'the suite came to its end' : `the suite broke off (${status})`;
  process.stdout.write(`${passed} passed, ${failed} failed; ${whole}; ${out}\n`);
}

const near = createServer((asked, answer) => {
  const path = join(suite, asked.url ?? '');
  answer.statusCode = existsSync(path) ? 200 : 404;
  answer.end(existsSync(path) ? readFileSync(path) : '');
}).listen(0, '127.0.0.1');
await once(near, 'listening');
copySuite(`http://127.0.0.1:${(near.address() as AddressInfo).port}`);
const cluster = values.real ? await startReal() : await startOwn();
try {
  if (values.hold) {
    process.stdout.write(`${cluster.port}\n`);
    await once(process, 'SIGINT');
  } else await play(cluster.port);
} finally {
  await cluster.close();
  near.close();
  if (values.out !== undefined) rmSync(home, { recursive: true, force: true });
}
