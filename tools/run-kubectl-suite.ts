// Plays upstream's own suite of kubectl (test/cmd of Kubernetes) against our API server and controllers, or with --real
// against kube-apiserver and kube-controller-manager started with upstream's flags, and says of each section how it ended:
// `node tools/run-kubectl-suite.ts KUBERNETES BIN [--real] [--out FOLDER] [SECTION...]`.
// KUBERNETES is the folder of the sources (the Go module k8s.io/kubernetes), BIN holds kubectl, and etcd and the two
// others for --real. A section is a function as run_pod_tests; none stands for all. FOLDER keeps what each said.
// One section reads the words of OpenAPI, which tools/explain-descriptions.ts makes. With --hold nothing is played: the
// port is told, for questions by hand (token admin-token), until the program is interrupted.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
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
import { createServer as createHttpServer } from 'node:http';
import { request } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import { createEnv } from '#env/node/env.ts';
import { flagKey } from '#kube/apiserver/access-flag-names.ts';
import { startApiServer } from '#kube/apiserver/server.ts';
import { TokenAuthority } from '#kube/apiserver/tokens.ts';
import { Authority } from '#kube/pki/authority.ts';
import { KubeClient } from '#kube/client/client.ts';
import { startControllers } from '#kube/controllers/run.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { MemoryStore } from '#store/memory-store.ts';

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
  cpSync(join(bin ?? '', 'kubectl'), join(suite, '_output/bin/kubectl'));
}

interface Cluster {
  readonly port: number;
  close(): Promise<void>;
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
  const env = createEnv({ component: 'kubectl-suite', logLevel: 'warn', logFormat: 'text' });
  const own = join(home, 'own');
  // The suite looks for its own authority, by this name.
  await Authority.open(join(own, 'pki'), env.clock.now(), '127.0.0.1');
  const options = {
    instance: 'default',
    home: own,
    listen: { host: '127.0.0.1', port: 0 },
    store: new MemoryStore(),
    registry: new TypeRegistry(),
    serviceCidr: SERVICES,
    flags: Object.fromEntries(Object.entries(flags).map(([name, value]) => [flagKey(name), value])),
  };
  const server = await startApiServer(options, env);
  // Where upstream's server leaves its own.
  writeFileSync(join(temporary, 'apiserver.crt'), server.authority.caCert);
  const admin = JSON.parse(readFileSync(join(own, 'kubeconfig'), 'utf8')) as object;
  const client = KubeClient.fromKubeconfig(admin, { userAgent: 'controllers' });
  const tokens = await TokenAuthority.open(join(own, 'pki'));
  const { authority: signer } = server;
  const controllers = startControllers({ client, rootCa: signer.caCert, signer, tokens }, env);
  return {
    port: Number(new URL(server.url).port),
    async close() {
      await controllers.close();
      await client.close();
      await server.close();
    },
  };
}

/** Ports that nobody has. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((one) => once(one, 'listening')));
  const ports = servers.map((one) => (one.address() as AddressInfo).port);
  await Promise.all(servers.map((one) => once(one.close(), 'close')));
  return ports;
}

/** Waits until an HTTPS server says that it is well. */
async function healthy(port: number): Promise<void> {
  const headers = { authorization: 'Bearer admin-token' };
  const options = { host: '127.0.0.1', port, path: '/healthz', headers, rejectUnauthorized: false };
  const isWell = (): Promise<boolean> =>
    new Promise((done) => {
      const asked = request(options, (answer) => {
        answer.resume();
        done(answer.statusCode === 200);
      });
      asked.on('error', () => done(false)).end();
    });
  const end = Date.now() + 120_000;
  while (!(await isWell())) {
    if (Date.now() > end) throw new Error(`Nothing healthy listens on port ${port}`);
    await sleep(200);
  }
}

async function startReal(): Promise<Cluster> {
  const authority = join(suite, 'hack/testdata/ca');
  const [port = 0, store = 0, peers = 0, manager = 0] = await freePorts(4);
  const started: ChildProcess[] = [];
  const start = (program: string, settings: Readonly<Record<string, string>>): void => {
    const log = openSync(join(home, `${program}.log`), 'w');
    const given = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
    const child = spawn(join(bin ?? '', program), given, {
      stdio: ['ignore', log, log],
      cwd: home,
    });
    started.push(child);
  };
  start('etcd', {
    'data-dir': join(home, 'etcd'),
    'listen-client-urls': `http://127.0.0.1:${store}`,
    'advertise-client-urls': `http://127.0.0.1:${store}`,
    'listen-peer-urls': `http://127.0.0.1:${peers}`,
    'log-level': 'warn',
  });
  const key = join(home, 'accounts.key');
  const made = spawn('openssl', ['genrsa', '-out', key, '2048'], { stdio: 'ignore' });
  await once(made, 'close');
  start('kube-apiserver', {
    ...flags,
    'bind-address': '127.0.0.1',
    'secure-port': String(port),
    'etcd-servers': `http://127.0.0.1:${store}`,
    'cert-dir': temporary,
    'client-ca-file': join(authority, 'ca.crt'),
    'service-account-key-file': key,
    'service-account-signing-key-file': key,
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-cluster-ip-range': SERVICES,
  });
  await healthy(port);
  const config = join(home, 'manager.kubeconfig');
  const server = `https://127.0.0.1:${port}`;
  const cluster = { server, 'insecure-skip-tls-verify': true };
  const kubeconfig = {
    kind: 'Config',
    clusters: [{ name: 'local', cluster }],
    users: [{ name: 'manager', user: { token: 'admin-token' } }],
    contexts: [{ name: 'local', context: { cluster: 'local', user: 'manager' } }],
    'current-context': 'local',
  };
  writeFileSync(config, JSON.stringify(kubeconfig));
  start('kube-controller-manager', {
    kubeconfig: config,
    'bind-address': '127.0.0.1',
    'secure-port': String(manager),
    'cert-dir': join(home, 'certificates-of-manager'),
    'cluster-signing-cert-file': join(authority, 'ca.crt'),
    'cluster-signing-key-file': join(authority, 'ca.key'),
  });
  await healthy(manager);
  return {
    port,
    async close() {
      for (const child of started.toReversed()) {
        const ended = once(child, 'close');
        child.kill('SIGKILL');
        await ended;
      }
    },
  };
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

const near = createHttpServer((asked, answer) => {
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
