// Long answers to clients that read at their own pace: what waits for one of them is bounded, and one that reads
// nothing for a minute is cut off, as upstream cuts requests that take longer.
import type { ServerResponse } from 'node:http';
import type { Timers } from '#env/env.ts';
import { Http2Response } from '#http2/messages.ts';

const WAITING_BYTES_MAX = 1024 * 1024;
const SILENCE_MS_MAX = 60_000;

/** Of HTTP/2 also what many answers share, which no stream's buffer holds. */
export function waitingBytes(response: ServerResponse | Http2Response): number {
  return response instanceof Http2Response ? response.waitingLength : response.writableLength;
}

export interface WriteOptions {
  readonly timers: Timers;
  /** Called for each piece that has left whole. */
  readonly written?: (piece: Buffer) => void;
}

/** Ends the response behind the last piece. Resolves early when the client has gone. */
export async function writeAll(
  response: ServerResponse,
  pieces: Iterable<Buffer> | AsyncIterable<Buffer>,
  { timers, written }: WriteOptions,
): Promise<void> {
  let isClosed = false;
  let wake: () => void = () => {};
  response.once('close', () => {
    isClosed = true;
    wake();
  });
  response.on('drain', () => wake());
  for await (const piece of pieces) {
    if (isClosed || response.destroyed) return;
    response.write(piece, (error) => {
      // What is broken off may still be among what a connection has to send.
      const isGone = (error !== null && error !== undefined) || response.destroyed;
      if (!isGone) written?.(piece);
    });
    // The client reads it while the next one is made.
    if (response instanceof Http2Response) response.flushConnection();
    if (waitingBytes(response) <= WAITING_BYTES_MAX) continue;
    const silence = timers.after(SILENCE_MS_MAX, () => response.destroy());
    await new Promise<void>((done) => (wake = done));
    silence.cancel();
  }
  response.end();
}
