// An API server with controllers of either side, fresh: this program's instance without a scheduler, or etcd,
// kube-apiserver and kube-controller-manager; and the load generator of the Kubernetes peer against it.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, run } from '#test/support/cluster.ts';
import { kubectlFolder } from '#test/support/kubectl.ts';
import type { Side } from './benchmark.ts';
import { bundle, type Step } from './mesos-master.ts';
import { absent, kubePeer, mesosPeer } from './peers.ts';
import { processorSeconds, Program, residentMb } from './program.ts';
import { freePort } from '#test/support/free-port.ts';

export function missingKube(side: Side): string | undefined {
  const { etcd, apiserver, controllers, loadgen } = kubePeer;
  const files = side === 'peer' ? [etcd, apiserver, controllers, loadgen] : [loadgen];
  if (side === 'strata' && !existsSync(bundle)) return `no ${bundle} (run node tools/bundle.ts)`;
  return absent(files, 'STRATA_BENCH_KUBERNETES');
}

export class KubeServer implements AsyncDisposable {
  readonly #programs: readonly Program[];
  readonly #folder: string;
  readonly kubeconfig: string;
  /** From the start of the first process until /readyz answers 200. */
  readonly readySeconds: number;

  private constructor(
    programs: readonly Program[],
    folder: string,
    found: { kubeconfig: string; readySeconds: number },
  ) {
    this.#programs = programs;
    this.#folder = folder;
    this.kubeconfig = found.kubeconfig;
    this.readySeconds = found.readySeconds;
  }

  /**
   * `nodes`: with a scheduler and so many fake nodes: of kwok on the peer's side, agents of the Mesos
   * peer's load generator on ours.
   */
  static async start(side: Side, { nodes } = { nodes: 0 }): Promise<KubeServer> {
    const folder = mkdtempSync(join(tmpdir(), 'strata-bench-kube-'));
    const programs: Program[] = [];
    try {
      const port = await freePort();
      if (side === 'strata') {
        const master = nodes > 0 ? await startSubstrate(nodes, programs) : undefined;
        const own = await startOurs(folder, port, programs, master);
        const server = new KubeServer(programs, folder, own);
        if (nodes > 0) await server.#nodesAreThere(nodes);
        return server;
      }
      const found = await startPeer(folder, port, programs);
      if (nodes > 0) startNodes(found.kubeconfig, await freePort(), programs);
      const server = new KubeServer(programs, folder, found);
      if (nodes > 0) await server.load('nodes', '-n', String(nodes));
      return server;
    } catch (error) {
      for (const one of programs.toReversed()) await one[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Agents become nodes by themselves. */
  async #nodesAreThere(count: number): Promise<void> {
    const kubectl = [join(await kubectlFolder(), 'kubectl'), '--kubeconfig', this.kubeconfig];
    await eventually('every agent is a node', async () => {
      const { stdout } = await run([...kubectl, 'get', 'nodes', '-o', 'name']);
      return stdout.split('\n').filter((line) => line !== '').length === count ? true : undefined;
    });
  }

  get residentMb(): number {
    return this.#programs.reduce((sum, { pid }) => sum + residentMb(pid), 0);
  }

  get processorSeconds(): number {
    return this.#programs.reduce((sum, { pid }) => sum + processorSeconds(pid), 0);
  }

  /** Runs one command of the load generator; rejects unless all it did succeeded. */
  async load(...args: readonly string[]): Promise<Step[]> {
    const pids = this.#programs.map(({ pid }) => pid).join(',');
    const command = [kubePeer.loadgen, '-kubeconfig', this.kubeconfig, '-pids', pids, ...args];
    const result = await run(command, { timeoutMs: 900_000 });
    const lines = result.stdout.split('\n').filter((line) => line !== '');
    if (result.status !== 0 || lines.length === 0) {
      const log = this.#programs.map((one) => one.log()).join('\n');
      throw new Error(
        `The load ${args.join(' ')} failed: ${result.stderr}${result.stdout}\n${log}`,
      );
    }
    return lines.map((line) => {
      const { op, ...rest } = JSON.parse(line) as { op: string; [field: string]: unknown };
      const failures = [rest['errors'], rest['update_errors'], rest['error']];
      if (failures.some((one) => one !== undefined && one !== 0)) {
        throw new Error(`The load did not succeed: ${line}`);
      }
      return { step: op, ...rest };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#programs.toReversed()) await one[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

type Found = { kubeconfig: string; readySeconds: number };

/** A master, and agents that are connections and answers; gives the address of the master. */
async function startSubstrate(agents: number, programs: Program[]): Promise<string> {
  const [port, agentPort] = [await freePort(), await freePort()];
  const master = new Program({
    command: (home) => {
      return [process.execPath, bundle, 'master', '--home', home, '--port', String(port)];
    },
  });
  programs.push(master);
  const address = `127.0.0.1:${port}`;
  await master.ready(async () => (await fetch(`http://${address}/health`)).ok);
  const steps = ['-agents', String(agents), '-steps', 'register,hold', '-limit', '900s'];
  const where = ['-master', address, '-port', String(agentPort)];
  const fake = new Program({ command: () => [mesosPeer.loadgen, ...where, ...steps] });
  programs.push(fake);
  await fake.ready(async () => {
    const answer = await fetch(`http://${address}/metrics/snapshot`);
    const metrics = (await answer.json()) as Record<string, number>;
    return metrics['master/slaves_active'] === agents;
  });
  return address;
}

async function startOurs(
  folder: string,
  port: number,
  programs: Program[],
  master: string | undefined,
): Promise<Found> {
  const started = performance.now();
  const components = `apiserver,controllers${master === undefined ? '' : ',scheduler'}`;
  const more = master === undefined ? [] : ['--master', master];
  const where = ['--home', folder, '--port', String(port), '--components', components, ...more];
  const server = new Program({
    command: () => [process.execPath, bundle, 'kube', 'serve', 'bench', ...where],
  });
  programs.push(server);
  const kubeconfig = join(folder, 'kube/bench/kubeconfig');
  // The file is written when the server listens already.
  await server.ready(async () => existsSync(kubeconfig) && (await isReady(port)));
  return { kubeconfig, readySeconds: (performance.now() - started) / 1_000 };
}

/** The flags are those of the peer's own measurements: no throttling of its clients. */
async function startPeer(folder: string, port: number, programs: Program[]): Promise<Found> {
  const [client, peer, controllerPort] = [await freePort(), await freePort(), await freePort()];
  const key = join(folder, 'sa.key');
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(key, pair.privateKey.export({ type: 'sec1', format: 'pem' }));
  const token = randomBytes(16).toString('hex');
  writeFileSync(join(folder, 'tokens.csv'), `${token},admin,u1,system:masters\n`);
  const started = performance.now();
  const [clientUrl, peerUrl] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
  const etcdFlags = {
    'data-dir': join(folder, 'etcd'),
    'listen-client-urls': clientUrl,
    'advertise-client-urls': clientUrl,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': `default=${peerUrl}`,
    'log-level': 'warn',
  };
  programs.push(new Program({ command: () => [kubePeer.etcd, ...flagsOf(etcdFlags)] }));
  const serverFlags = {
    'etcd-servers': clientUrl,
    'secure-port': String(port),
    'bind-address': '127.0.0.1',
    'advertise-address': '192.0.2.1',
    'cert-dir': join(folder, 'pki'),
    'token-auth-file': join(folder, 'tokens.csv'),
    'authorization-mode': 'Node,RBAC',
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': key,
    'service-account-signing-key-file': key,
    'service-cluster-ip-range': '198.18.0.0/16',
    'max-requests-inflight': '3000',
    'max-mutating-requests-inflight': '1000',
  };
  const server = new Program({ command: () => [kubePeer.apiserver, ...flagsOf(serverFlags)] });
  programs.push(server);
  await server.ready(() => isReady(port));
  const readySeconds = (performance.now() - started) / 1_000;
  const ca = join(folder, 'pki/apiserver.crt');
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigText(`https://127.0.0.1:${port}`, readFileSync(ca), token));
  const controllerFlags = {
    kubeconfig,
    'leader-elect': 'false',
    'bind-address': '127.0.0.1',
    'secure-port': String(controllerPort),
    'service-account-private-key-file': key,
    'root-ca-file': ca,
    'use-service-account-credentials': 'true',
    'kube-api-qps': '5000',
    'kube-api-burst': '5000',
  };
  programs.push(
    new Program({ command: () => [kubePeer.controllers, ...flagsOf(controllerFlags)] }),
  );
  return { kubeconfig, readySeconds };
}

/** The flags of the peer's own measurements: one fake node per annotated Node object. */
function startNodes(kubeconfig: string, port: number, programs: Program[]): void {
  const scheduler = {
    kubeconfig,
    'leader-elect': 'false',
    'bind-address': '127.0.0.1',
    'secure-port': String(port),
  };
  programs.push(new Program({ command: () => [kubePeer.scheduler, ...flagsOf(scheduler)] }));
  const kwok = {
    kubeconfig,
    'manage-nodes-with-annotation-selector': 'kwok.x-k8s.io/node=fake',
    'node-ip': '127.0.0.1',
    'node-port': '0',
    cidr: '198.19.0.0/16',
    'node-lease-duration-seconds': '200',
    config: join(kubePeer.folder, '../kwok-fast.yaml'),
  };
  programs.push(new Program({ command: () => [kubePeer.kwok, ...flagsOf(kwok)] }));
}

function flagsOf(flags: Readonly<Record<string, string>>): string[] {
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
}

function kubeconfigText(server: string, ca: Buffer, token: string): string {
  const name = 'bench';
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster: { server, 'certificate-authority-data': ca.toString('base64') } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
  });
}

/** No certificate is checked: this asks only whether the server is there. */
function isReady(port: number): Promise<boolean> {
  return new Promise((done, fail) => {
    const url = `https://127.0.0.1:${port}/readyz`;
    const asked = request(url, { rejectUnauthorized: false, agent: false }, (response) => {
      response.resume();
      done(response.statusCode === 200);
    });
    asked.once('error', fail);
    asked.end();
  });
}
