// A bare extension server of the tests: HTTPS on loopback, the discovery of one version, an echo of who
// asked, and connections that are upgraded and then echoed.
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { Authority } from '#kube/pki/authority.ts';

export interface ExtensionServer {
  readonly port: number;
  /** Base64 of PEM. */
  readonly caBundle: string;
  /** Headers and certificate names of what was asked for, the newest last. */
  readonly seen: { path: string; headers: IncomingHttpHeaders; peer: string }[];
  close(): Promise<void>;
}

export interface ExtensionOptions {
  /** As in its certificate. */
  readonly name: string;
  readonly group: string;
  readonly version: string;
  /** PEM: of the proxy that is believed. */
  readonly clientCa: string;
}

export async function startExtensionServer(options: ExtensionOptions): Promise<ExtensionServer> {
  const { name, group, version, clientCa } = options;
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-extension-'));
  const now = Date.now();
  const authority = await Authority.open(folder, now, 'extension-ca');
  const pair = await authority.issueServer({ commonName: name, names: [name], ips: [] }, now);
  const seen: ExtensionServer['seen'] = [];
  const tls = { cert: pair.cert, key: pair.key, ca: clientCa, requestCert: true };
  const server = createServer({ ...tls, rejectUnauthorized: true }, (request, response) => {
    const path = request.url ?? '/';
    const { subject } = (
      request.socket as unknown as { getPeerCertificate(): { subject: { CN: string } } }
    ).getPeerCertificate();
    seen.push({ path, headers: request.headers, peer: subject.CN });
    const list = {
      kind: 'APIResourceList',
      apiVersion: 'v1',
      groupVersion: `${group}/${version}`,
      resources: [
        { name: 'echoes', singularName: 'echo', namespaced: true, kind: 'Echo', verbs: ['get'] },
        { name: 'echoes/exec', namespaced: true, kind: 'Echo', verbs: ['get'] },
      ],
    };
    const isOwn = path.startsWith(`/apis/${group}/${version}`);
    response.writeHead(isOwn ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(path === `/apis/${group}/${version}` ? list : { path }));
  });
  const upgraded = new Set<Duplex>();
  server.on('upgrade', (request, socket: Duplex) => {
    upgraded.add(socket);
    socket.on('error', () => {});
    const user = String(request.headers['x-remote-user']);
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\nX-User: ${user}\r\n\r\n`,
    );
    socket.pipe(socket);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    caBundle: Buffer.from(authority.caCert).toString('base64'),
    seen,
    async close() {
      for (const socket of upgraded) socket.destroy();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
