// A real kube-apiserver with its etcd, out of a folder of programs, for recording what it answers.
import { freePort } from './free-port.ts';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority } from '#kube/pki/authority.ts';
import type { Target } from './kube-sender.ts';
import type { GivenFlags } from './step-target.ts';
import { sendStep } from './step-player.ts';

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const over = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await over;
}

export interface RealServer {
  readonly target: Target;
  /** With the same etcd and other flags. */
  restart(flags: GivenFlags): Promise<Target>;
  close(): Promise<void>;
}

interface Place {
  readonly at: (name: string) => string;
  /** Of etcd. */
  readonly client: number;
  readonly port: number;
}

function allFlags(flags: GivenFlags, { at, client, port }: Place): GivenFlags {
  return {
    'etcd-servers': `http://127.0.0.1:${client}`,
    'secure-port': String(port),
    'bind-address': '127.0.0.1',
    'advertise-address': '192.0.2.1',
    'tls-cert-file': at('serving.crt'),
    'tls-private-key-file': at('serving.key'),
    'client-ca-file': at('ca.crt'),
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': at('sa.pub'),
    'service-account-signing-key-file': at('sa.key'),
    'service-cluster-ip-range': '198.18.0.0/16',
    'allow-privileged': 'true',
    'enable-admission-plugins': 'NodeRestriction',
    'enable-bootstrap-token-auth': 'true',
    ...('authorization-config' in flags ? {} : { 'authorization-mode': 'Node,RBAC' }),
    ...flags,
  };
}

/** `flags` without the dashes before them. */
export async function startRealServer(bin: string, flags: GivenFlags): Promise<RealServer> {
  const folder = mkdtempSync(join(tmpdir(), 'strata-real-'));
  const at = (name: string): string => join(folder, name);
  const now = Date.now();
  const authority = await Authority.open(at('pki'), now);
  const serving = await authority.issueServer(
    { commonName: 'kube-apiserver', names: ['localhost'], ips: ['127.0.0.1'] },
    now,
  );
  const admin = await authority.issueClient(
    { commonName: 'kubernetes-admin', organizations: ['system:masters'] },
    now,
  );
  writeFileSync(at('serving.crt'), serving.cert);
  writeFileSync(at('serving.key'), serving.key);
  writeFileSync(at('ca.crt'), authority.caCert);
  execFileSync('openssl', [
    'ecparam',
    '-name',
    'prime256v1',
    '-genkey',
    '-noout',
    '-out',
    at('sa.key'),
  ]);
  execFileSync('openssl', ['ec', '-in', at('sa.key'), '-pubout', '-out', at('sa.pub')], {
    stdio: 'ignore',
  });
  const [client, peer] = [await freePort(), await freePort()];
  const etcd = spawn(
    join(bin, 'etcd'),
    [
      `--data-dir=${at('etcd')}`,
      `--listen-client-urls=http://127.0.0.1:${client}`,
      `--advertise-client-urls=http://127.0.0.1:${client}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      '--log-level=error',
    ],
    { stdio: 'ignore' },
  );
  const agent = new Agent({
    keepAlive: true,
    ca: authority.caCert,
    cert: admin.cert,
    key: admin.key,
  });
  const bare = new Agent({ ca: authority.caCert });
  const start = async (given: GivenFlags): Promise<{ server: ChildProcess; target: Target }> => {
    const port = await freePort();
    const log = at('log');
    const args = Object.entries(allFlags(given, { at, client, port })).flatMap(([name, value]) =>
      [value].flat().map((one) => `--${name}=${one}`),
    );
    const server = spawn('sh', [
      '-c',
      `exec "$0" "$@" >${log} 2>&1`,
      join(bin, 'kube-apiserver'),
      ...args,
    ]);
    const target = { server: `https://127.0.0.1:${port}`, agent, bare, headers: {} };
    const isReady = async (): Promise<boolean> => {
      const step = { name: 'ready', method: 'GET', path: '/readyz' };
      return await sendStep(target, step).then(
        ({ status }) => status === 200,
        () => false,
      );
    };
    while (!(await isReady())) {
      if (server.exitCode !== null) throw new Error(readFileSync(log, 'utf8').slice(-4_000));
      await new Promise((done) => setTimeout(done, 100));
    }
    return { server, target };
  };
  let running = await start(flags);
  return {
    target: running.target,
    async restart(more) {
      await ended(running.server);
      running = await start(more);
      return running.target;
    },
    async close() {
      agent.destroy();
      await ended(running.server);
      await ended(etcd);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
