// Lets the long-running programs of a bundle start once and answer a little, so that the first start on a machine
// finds compiled what they run then, as every later one does (src/bin/strata.ts).
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Http2Transport } from '#kube/client/http2-transport.ts';
import { loadKubeconfig } from '#kube/client/kubeconfig.ts';
import type { ApiRequest } from '#kube/client/transport.ts';

const READY_MS_MAX = 30_000;
const END_MS_MAX = 10_000;
const NAME = 'ahead';

const discovery = [
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  'application/json',
].join(',');
const protobuf = 'application/vnd.kubernetes.protobuf';
const table = 'application/json;as=Table;g=meta.k8s.io;v=v1,application/json';
const maps = '/api/v1/namespaces/default/configmaps';
const map = JSON.stringify({ metadata: { name: NAME, namespace: 'default' }, data: { a: 'b' } });

/** What clients ask first: kubectl, and informers. */
const requests: readonly ApiRequest[] = [
  { method: 'GET', path: '/api', accept: discovery },
  { method: 'GET', path: '/apis', accept: discovery },
  { method: 'GET', path: '/openapi/v3' },
  { method: 'POST', path: maps, body: map },
  { method: 'GET', path: `${maps}?limit=500` },
  { method: 'GET', path: `${maps}?limit=500`, accept: protobuf },
  { method: 'GET', path: maps, accept: table },
  { method: 'DELETE', path: `${maps}/${NAME}` },
];

/** Rejects when the program ends before it says that it is ready, or does not say so for long. */
async function ready(child: ChildProcess): Promise<void> {
  const said = new Promise<void>((done, fail) => {
    let text = '';
    child.stdout?.on('data', (more: Buffer) => {
      text += more.toString();
      if (text.includes('ready at')) done();
    });
    child.once('error', fail);
    child.once('exit', () => fail(new Error('A program ended at once')));
  });
  const timer = setTimeout(() => child.kill(), READY_MS_MAX);
  await said.finally(() => clearTimeout(timer));
}

async function once(
  bundle: string,
  of: (home: string) => readonly string[],
  use: (home: string) => Promise<void>,
): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'strata-ahead-'));
  // Nothing of the user's: a master may be told by the environment whom to join.
  const { PATH, TMPDIR } = process.env;
  const child = spawn(process.execPath, [bundle, ...of(home)], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { HOME: home, ...(PATH && { PATH }), ...(TMPDIR && { TMPDIR }) },
  });
  const ended = new Promise((done) => child.once('close', done));
  try {
    await ready(child);
    await use(home);
  } finally {
    // What was compiled is written at its end.
    child.kill('SIGTERM');
    const patience = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX);
    await ended;
    clearTimeout(patience);
    rmSync(home, { recursive: true, force: true });
  }
}

async function ask(home: string): Promise<void> {
  const transport = new Http2Transport(
    loadKubeconfig(join(home, 'kube', NAME, 'kubeconfig')),
    NAME,
  );
  try {
    for (const request of requests) await transport.send(request);
  } finally {
    await transport.close();
  }
}

/** Rejects when a program does not start; what the others have compiled is there all the same. */
export async function compileAhead(bundle: string): Promise<void> {
  const components = ['--components', 'apiserver,controllers'];
  const server = (home: string) => ['kube', 'serve', NAME, '--home', home, '--port', '0'];
  await Promise.all([
    once(bundle, (home) => [...server(home), ...components], ask),
    once(
      bundle,
      (home) => ['master', '--home', home, '--port', '0'],
      async () => {},
    ),
  ]);
}
