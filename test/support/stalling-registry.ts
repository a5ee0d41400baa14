// A registry with one image of two layers, of which the second does not come before it is let go.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Layer, layerArchive } from './docker-registry.ts';

const OCI = 'application/vnd.oci.image';

export class StallingRegistry {
  /** Of the second layer: answers that have begun and do not go on; those whose client has gone are left out. */
  readonly stalled = new Set<ServerResponse>();
  /** How often the second layer was asked for. */
  asked = 0;
  #goesOn = false;
  readonly #blobs = new Map<string, Buffer>();
  readonly #manifest: Buffer;
  readonly #last: { readonly digest: string };
  readonly #server = createServer((request, response) => {
    const name = request.url?.split('/').at(-1) ?? '';
    const bytes = request.url?.includes('/manifests/') ? this.#manifest : this.#blobs.get(name);
    if (bytes === undefined) response.writeHead(404).end();
    else if (name !== this.#last.digest) response.end(bytes);
    else this.#answerLast(response, bytes);
  });

  constructor(first: Layer, second: Layer) {
    const folder = mkdtempSync(join(tmpdir(), 'strata-stalling-'));
    const put = (bytes: Buffer, mediaType: string) => {
      const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
      this.#blobs.set(digest, bytes);
      return { digest, size: bytes.length, mediaType };
    };
    const layers = [first, second].map((layer) =>
      put(layerArchive(join(folder, 'layer'), layer, 'gzip'), `${OCI}.layer.v1.tar+gzip`),
    );
    const text = Buffer.from(JSON.stringify({ os: 'linux', config: {} }));
    const config = put(text, `${OCI}.config.v1+json`);
    const mediaType = `${OCI}.manifest.v1+json`;
    this.#manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }));
    this.#last = layers[1] ?? config;
    rmSync(folder, { recursive: true });
  }

  /** What tasks call the image. */
  get image(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}/own/box`;
  }

  #answerLast(response: ServerResponse, bytes: Buffer): void {
    this.asked += 1;
    if (this.#goesOn) {
      response.end(bytes);
      return;
    }
    response.writeHead(200, { 'content-length': bytes.length });
    response.write(bytes.subarray(0, 10));
    this.stalled.add(response);
    response.once('close', () => this.stalled.delete(response));
  }

  async start(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
  }

  /** From now on all of it comes, to those who wait, too. */
  goOn(): void {
    this.#goesOn = true;
    for (const one of this.stalled) one.end(this.#blobs.get(this.#last.digest)?.subarray(10));
  }

  stall(): void {
    this.#goesOn = false;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
