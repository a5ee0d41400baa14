// Probes of tasks' ports: HTTP and HTTPS with whatever certificate, redirects from one to the other, TCP.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { probeNetwork } from './prober.ts';

const host = '127.0.0.1';
const folder = mkdtempSync(join(tmpdir(), 'strata-prober-'));
const [keyPath, certPath] = [join(folder, 'key'), join(folder, 'cert')];
execFileSync(
  'openssl',
  // One that nobody has signed, for another name.
  `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=elsewhere -keyout ${keyPath} -out ${certPath}`.split(
    ' ',
  ),
  { stdio: 'ignore' },
);
const servers: Server[] = [];
const never = new AbortController().signal;

async function listening(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, host, done));
  return (server.address() as AddressInfo).port;
}

const answer: RequestListener = (request, response) => {
  if (request.url === '/silent') return;
  response.writeHead(request.url === '/well' ? 200 : 503).end();
};
const secure = await listening(
  createSecureServer({ key: readFileSync(keyPath), cert: readFileSync(certPath) }, answer),
);
const plain = await listening(
  createServer((_request, response) => {
    response.writeHead(302, { location: `https://${host}:${secure}/well` }).end();
  }),
);
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

test('HTTPS answers with its status, whoever has signed', async () => {
  const at = { type: 'HTTP', scheme: 'https', host, port: secure } as const;
  const found = await probeNetwork({ ...at, path: '/well' }, 5_000, never);
  assert.deepEqual(found, { type: 'HTTP', statusCode: 200 });
  const ill = await probeNetwork({ ...at, path: 'ill' }, 5_000, never);
  assert.deepEqual(ill, { type: 'HTTP', statusCode: 503 });
  const silent = await probeNetwork({ ...at, path: '/silent' }, 50, never);
  assert.deepEqual(silent, { type: 'HTTP', statusCode: undefined });
});

test('a redirect leads from HTTP to HTTPS; plain HTTP to a port of TLS finds nothing', async () => {
  const at = { type: 'HTTP', scheme: 'http', host, path: '/' } as const;
  const led = await probeNetwork({ ...at, port: plain }, 5_000, never);
  assert.deepEqual(led, { type: 'HTTP', statusCode: 200 });
  const mistaken = await probeNetwork({ ...at, port: secure }, 5_000, never);
  assert.deepEqual(mistaken, { type: 'HTTP', statusCode: undefined });
});

test('TCP connects, or does not', async () => {
  const open = await probeNetwork({ type: 'TCP', host, port: plain }, 5_000, never);
  assert.deepEqual(open, { type: 'TCP', succeeded: true });
  const shut = await probeNetwork({ type: 'TCP', host, port: 1 }, 5_000, never);
  assert.deepEqual(shut, { type: 'TCP', succeeded: false });
});
