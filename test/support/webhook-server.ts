// A webhook of the tests: HTTPS on loopback, answers by path, and remembers what it was sent.
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority } from '#kube/pki/authority.ts';

type Json = Record<string, unknown>;
/** A text: an error of the status 400 that says it; a URL: where to ask instead; undefined: no answer at all. */
type Answer = (review: Json) => Json | string | URL | undefined | Promise<Json>;

export interface Review {
  readonly path: string;
  /** Behind the question mark. */
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  /** The port of the connection that it came on. */
  readonly from: number;
  readonly body: Json;
  readonly text: string;
}

export interface WebhookServer {
  readonly url: string;
  readonly port: number;
  /** Base64 of PEM, as configurations have it. */
  readonly caBundle: string;
  /** The same of its own certificate alone. */
  readonly certBundle: string;
  readonly reviews: Review[];
  on(path: string, answer: Answer): void;
  /** Those that wait for another request, too. */
  closeConnections(): void;
  close(): Promise<void>;
}

export async function startWebhookServer(): Promise<WebhookServer> {
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-webhook-'));
  const now = Date.now();
  const authority = await Authority.open(folder, now);
  const names = ['hook.default.svc', 'shared.default.svc', 'localhost'];
  const identity = { commonName: 'webhook', names, ips: ['127.0.0.1'] };
  const pair = await authority.issueServer(identity, now);
  const answers = new Map<string, Answer>();
  const reviews: Review[] = [];
  const server: Server = createServer({ cert: pair.cert, key: pair.key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const [path = '/', query = ''] = (request.url ?? '/').split('?');
      const { headers, socket } = request;
      const text = Buffer.concat(chunks).toString();
      const body = JSON.parse(text) as Json;
      reviews.push({ path, query, headers, from: socket.remotePort ?? 0, body, text });
      const handler = answers.get(path);
      if (handler === undefined) {
        response.writeHead(500);
        response.end('broken');
        return;
      }
      const answer = await handler(body);
      if (answer === undefined) return;
      if (answer instanceof URL) {
        response.writeHead(307, { location: answer.href });
        response.end();
        return;
      }
      if (typeof answer === 'string') {
        response.writeHead(400, { 'content-type': 'text/plain; charset=utf-8' });
        response.end(answer);
        return;
      }
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `https://127.0.0.1:${port}`,
    port,
    caBundle: Buffer.from(authority.caCert).toString('base64'),
    certBundle: Buffer.from(pair.cert).toString('base64'),
    reviews,
    on: (path, answer) => void answers.set(path, answer),
    closeConnections: () => server.closeAllConnections(),
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** An entry of a webhook configuration for the path of the server, named after it; rules are the caller's. */
export const webhookAt = (hook: WebhookServer, path: string): Json => ({
  name: `${path.slice(1)}.example.com`,
  clientConfig: { url: `${hook.url}${path}`, caBundle: hook.caBundle },
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
});

/** An answer to an AdmissionReview. */
export function admissionAnswer(review: Json, response: Json): Json {
  const { uid } = review['request'] as Json;
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    response: { uid, ...response },
  };
}

export function patchOf(operations: readonly Json[]): Json {
  const patch = Buffer.from(JSON.stringify(operations)).toString('base64');
  return { allowed: true, patchType: 'JSONPatch', patch };
}
