// Certificates that are replaced while the program runs: master, agent and API server present the new ones
// to whoever connects from then on, believe new authorities, and keep the connections that are open.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { createEnv } from '#env/node/env.ts';
import { startApiServer } from '#kube/apiserver/server.ts';
import { Authority } from '#kube/pki/authority.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { PortServer } from '#mesos/security/port-server.ts';
import { connectTo } from '#mesos/security/tls-client.ts';
import { watchTls } from '#mesos/security/tls-reload.ts';
import { MemoryStore } from '#store/memory-store.ts';
import { eventually } from '#test/support/cluster.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const folder = mkdtempSync(join(tmpdir(), 'strata-reload-'));
after(() => rmSync(folder, { recursive: true, force: true }));

async function authorityOf(name: string): Promise<Authority> {
  return await Authority.open(join(folder, name), Date.now(), name);
}

const identity = (commonName: string) => ({
  commonName,
  organizations: [],
  names: ['localhost'],
  ips: ['127.0.0.1'],
});

/** As tools that rotate certificates do: written beside, then put in place. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

async function open(port: number): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await new Promise<void>((done, fail) => socket.once('secureConnect', done).once('error', fail));
  return socket;
}

async function presented(port: number): Promise<string> {
  const socket = await open(port);
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

/** An answer on a connection that is open. */
function ask(socket: TLSSocket): Promise<string> {
  socket.write('GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n');
  return new Promise((done) => socket.once('data', (chunk: Buffer) => done(chunk.toString())));
}

interface Files {
  readonly variables: Readonly<Record<string, string>>;
  readonly put: (authority: Authority, name: string) => Promise<void>;
  readonly key: string;
}

function filesIn(name: string): Files {
  const at = join(folder, name);
  mkdirSync(at);
  const [cert, key, ca] = [join(at, 'cert.pem'), join(at, 'key.pem'), join(at, 'ca.pem')];
  return {
    key,
    variables: {
      LIBPROCESS_SSL_ENABLED: 'true',
      LIBPROCESS_SSL_CERT_FILE: cert,
      LIBPROCESS_SSL_KEY_FILE: key,
      LIBPROCESS_SSL_CA_FILE: ca,
      LIBPROCESS_SSL_VERIFY_SERVER_CERT: 'true',
      LIBPROCESS_SSL_VERIFY_IPADD: 'true',
      LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME: 'openssl',
    },
    async put(authority, commonName) {
      const pair = await authority.issuePeer(identity(commonName), Date.now());
      replace(key, pair.key);
      replace(cert, pair.cert);
      replace(ca, authority.caCert);
    },
  };
}

test('the port of master and agent presents what is in its files now', async () => {
  const [first, second] = [await authorityOf('one'), await authorityOf('two')];
  const files = filesIn('port');
  await files.put(first, 'old');
  const tls = watchTls(files.variables, env);
  const server = new PortServer({ requireHostHeader: false }, tls.settings, env.log);
  server.onRequest((_request, response) => response.end('here'));
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  try {
    assert.equal(await presented(port), 'old');
    const kept = await open(port);
    await files.put(second, 'new');
    await eventually('the new certificate is presented', async () =>
      (await presented(port)) === 'new' ? true : undefined,
    );
    assert.match(await ask(kept), /here/);
    kept.destroy();
    // What is no pair is not taken; what comes after it is.
    replace(files.key, (await first.issuePeer(identity('x'), Date.now())).key);
    await files.put(first, 'newest');
    await eventually('the newest certificate is presented', async () =>
      (await presented(port)) === 'newest' ? true : undefined,
    );
  } finally {
    tls.close();
    await server.close();
  }
});

test('masters, agents and executors believe the authority that is in their files now', async () => {
  const [first, second] = [await authorityOf('three'), await authorityOf('four')];
  const files = filesIn('client');
  await files.put(first, 'client');
  const tls = watchTls(files.variables, env);
  const pair = await second.issueServer(identity('server'), Date.now());
  const server: Server = createServer(pair, (_request, response) => response.end('there'));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const isBelieved = (): Promise<boolean> =>
    new Promise((done) => {
      const socket = connectTo({ host: '127.0.0.1', port }, tls.settings);
      socket.once('error', () => done(false));
      socket.once('secureConnect', () => {
        done(true);
        socket.destroy();
      });
    });
  try {
    assert.equal(await isBelieved(), false);
    await files.put(second, 'client');
    await eventually('the server is believed', async () => (await isBelieved()) || undefined);
  } finally {
    tls.close();
    server.closeAllConnections();
    server.close();
  }
});

test('the API server presents what is in its files now', async () => {
  const home = join(folder, 'api');
  const server = await startApiServer(
    {
      home,
      instance: 'test',
      listen: { host: '127.0.0.1', port: 0 },
      store: new MemoryStore(),
      registry: new TypeRegistry(),
      serviceCidr: '10.96.0.0/16',
    },
    env,
  );
  try {
    const port = Number(new URL(server.url).port);
    assert.equal(await presented(port), 'kube-apiserver');
    const kept = await open(port);
    const pair = await server.authority.issueServer(identity('rotated'), Date.now());
    replace(join(home, 'pki/apiserver.key'), pair.key);
    replace(join(home, 'pki/apiserver.crt'), pair.cert);
    await eventually('the new certificate is presented', async () =>
      (await presented(port)) === 'rotated' ? true : undefined,
    );
    assert.match(await ask(kept), /gitVersion|200|401/);
    kept.destroy();
  } finally {
    await server.close();
  }
});
