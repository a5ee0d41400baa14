// An HTTP/2 server of ours on a port of its own, with a certificate that its clients trust.
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type ClientHttp2Session, type Settings } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHttpServer, type HttpServerOptions } from '#http2/server.ts';
import { Authority } from '#kube/pki/authority.ts';

export interface ServedHttp2 extends AsyncDisposable {
  connect(settings?: Settings): ClientHttp2Session;
}

export async function serveHttp2(handle: HttpServerOptions['handle']): Promise<ServedHttp2> {
  const folder = mkdtempSync(join(tmpdir(), 'strata-http2-'));
  const authority = await Authority.open(folder, Date.now());
  const identity = { commonName: 'localhost', names: ['localhost'], ips: ['127.0.0.1'] };
  const tls = await authority.issueServer(identity, Date.now());
  const server = createHttpServer({ tls, streamsMax: 100, handle });
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    connect: (settings = {}) =>
      connect(`https://localhost:${port}`, { ca: authority.caCert, settings }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
