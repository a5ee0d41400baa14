// Large answers whose parts are shared with others: sent part by part, as fast as the reader takes them.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { GZIP_BYTES_MIN, takesGzip } from '#mesos/libprocess/negotiate.ts';
import { gzipped } from './gzip-parts.ts';
import type { Rope } from './rope.ts';

/** Part by part, each one when the reader has taken the one before: many may share the parts. */
export function sendRope(
  exchange: { request: IncomingMessage; response: ServerResponse },
  rope: Rope,
  contentType: string,
): void {
  const { request, response } = exchange;
  // Whoever asked has gone while the answer was made.
  if (response.destroyed) return;
  if (
    takesGzip(String(request.headers['accept-encoding'] ?? '')) &&
    rope.length >= GZIP_BYTES_MIN
  ) {
    response.writeHead(200, { 'Content-Type': contentType, 'Content-Encoding': 'gzip' });
    pipeline(Readable.from(gzipped(rope.parts)), response, () => {});
    return;
  }
  response.writeHead(200, { 'Content-Type': contentType, 'Content-Length': rope.length });
  // Head and first part in one write.
  response.cork();
  process.nextTick(() => response.uncork());
  let next = 0;
  const send = (): void => {
    for (;;) {
      const part = rope.parts[next++];
      if (part === undefined) {
        response.off('drain', send).end();
        return;
      }
      if (!response.write(part)) return;
    }
  };
  response.on('drain', send);
  send();
}
