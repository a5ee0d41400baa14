// An API server with its controllers, ours in this process and upstream's as programs of a folder, for comparisons of
// what clients see of both: the same flags, one token (see `adminOf`), no node.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createEnv } from '#env/node/env.ts';
import { flagKey } from '#kube/apiserver/access-flag-names.ts';
import { startApiServer } from '#kube/apiserver/server.ts';
import { TokenAuthority } from '#kube/apiserver/tokens.ts';
import { KubeClient } from '#kube/client/client.ts';
import { startControllers } from '#kube/controllers/run.ts';
import { Authority } from '#kube/pki/authority.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { MemoryStore } from '#store/memory-store.ts';
import { freePort } from './free-port.ts';

export interface Cluster {
  readonly port: number;
  close(): Promise<void>;
}

export interface ClusterOptions {
  /** A folder of its own. */
  readonly home: string;
  /** Of kube-apiserver, without dashes; --token-auth-file has to have ADMIN_TOKEN. */
  readonly flags: Readonly<Record<string, string>>;
  readonly serviceCidr: string;
  /** The name of our authority. */
  readonly authority?: string | undefined;
}

export interface RealOptions extends ClusterOptions {
  /** etcd, kube-apiserver, kube-controller-manager. */
  readonly bin: string;
  /** A folder of ca.crt and ca.key, by which clients are let in and requests are signed. */
  readonly signer: string;
  /** Where the server leaves its own certificate. */
  readonly certificates: string;
}

export const ADMIN_TOKEN = 'admin-token';

/** A kubeconfig that trusts whoever listens there. */
export function adminOf(port: number): object {
  const cluster = { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'local', cluster }],
    users: [{ name: 'admin', user: { token: ADMIN_TOKEN } }],
    contexts: [{ name: 'local', context: { cluster: 'local', user: 'admin' } }],
    'current-context': 'local',
  };
}

export async function startOwnCluster(
  options: ClusterOptions,
): Promise<Cluster & { readonly caCert: string }> {
  const { home, flags, serviceCidr } = options;
  const env = createEnv({ component: 'cluster', logLevel: 'warn', logFormat: 'text' });
  if (options.authority !== undefined) {
    await Authority.open(join(home, 'pki'), env.clock.now(), options.authority);
  }
  const server = await startApiServer(
    {
      instance: 'default',
      home,
      listen: { host: '127.0.0.1', port: 0 },
      store: new MemoryStore(),
      registry: new TypeRegistry(),
      serviceCidr,
      flags: Object.fromEntries(Object.entries(flags).map(([name, to]) => [flagKey(name), to])),
    },
    env,
  );
  const admin = JSON.parse(readFileSync(join(home, 'kubeconfig'), 'utf8')) as object;
  const client = KubeClient.fromKubeconfig(admin, { userAgent: 'kube-controller-manager' });
  const tokens = await TokenAuthority.open(join(home, 'pki'));
  const signer = server.authority;
  const controllers = startControllers({ client, rootCa: signer.caCert, signer, tokens }, env);
  return {
    port: Number(new URL(server.url).port),
    caCert: signer.caCert,
    async close() {
      await controllers.close();
      await client.close();
      await server.close();
    },
  };
}

const START_MS = 120_000;

/** Waits until an HTTPS server says that it is well. */
async function healthy(port: number): Promise<void> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  const options = { host: '127.0.0.1', port, path: '/healthz', headers, rejectUnauthorized: false };
  const isWell = (): Promise<boolean> =>
    new Promise((done) => {
      const asked = request(options, (answer) => {
        answer.resume();
        done(answer.statusCode === 200);
      });
      asked.on('error', () => done(false)).end();
    });
  const end = performance.now() + START_MS;
  while (!(await isWell())) {
    if (performance.now() > end) throw new Error(`Nothing healthy listens on port ${port}`);
    await sleep(200);
  }
}

export async function startRealCluster(options: RealOptions): Promise<Cluster> {
  const { bin, home, signer, flags } = options;
  const [port, store, peers, manager] = await Promise.all(Array.from({ length: 4 }, freePort));
  mkdirSync(home, { recursive: true });
  const started: ChildProcess[] = [];
  const start = (program: string, settings: Readonly<Record<string, string>>): void => {
    const log = openSync(join(home, `${program}.log`), 'w');
    const given = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
    started.push(spawn(join(bin, program), given, { stdio: ['ignore', log, log], cwd: home }));
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
    'cert-dir': options.certificates,
    'client-ca-file': join(signer, 'ca.crt'),
    'service-account-key-file': key,
    'service-account-signing-key-file': key,
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-cluster-ip-range': options.serviceCidr,
  });
  await healthy(port ?? 0);
  const kubeconfig = join(home, 'manager.kubeconfig');
  writeFileSync(kubeconfig, JSON.stringify(adminOf(port ?? 0)));
  start('kube-controller-manager', {
    kubeconfig,
    'bind-address': '127.0.0.1',
    'secure-port': String(manager),
    'cert-dir': join(home, 'certificates-of-manager'),
    'cluster-signing-cert-file': join(signer, 'ca.crt'),
    'cluster-signing-key-file': join(signer, 'ca.key'),
  });
  await healthy(manager ?? 0);
  return {
    port: port ?? 0,
    async close() {
      for (const child of started.toReversed()) {
        const ended = once(child, 'close');
        child.kill('SIGKILL');
        await ended;
      }
    },
  };
}
