// Long answers wait for their client; one that never reads is cut off.
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import type { Timers } from '#env/env.ts';
import { writeAll } from './slow-client.ts';

const MB = Buffer.alloc(1024 * 1024);

/** A connection that takes what it is given when it is told to. */
class Connection extends Writable {
  taken = 0;
  take: (() => void) | undefined;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.taken += chunk.length;
    this.take = done;
  }
}

function begin(): {
  connection: Connection;
  made: () => number;
  cut: () => void;
  end: Promise<void>;
} {
  const connection = new Connection();
  let made = 0;
  let silence: () => void = () => {};
  const timers = {
    after: (_ms: number, run: () => void) => {
      silence = run;
      return { cancel: () => (silence = () => {}) };
    },
  } as unknown as Timers;
  const pieces = (function* () {
    for (; made < 10; made++) yield MB;
  })();
  const end = writeAll(connection as unknown as ServerResponse, pieces, { timers });
  return { connection, made: () => made, cut: () => silence(), end };
}

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

test('no more is made than the client takes', async () => {
  const { connection, made, end } = begin();
  await turn();
  assert.ok(made() <= 2, `${made()} pieces for a client that has taken one`);
  while (!connection.writableFinished) {
    connection.take?.();
    await turn();
  }
  await end;
  assert.equal(connection.taken, 10 * MB.length);
});

test('a client that is silent, or gone, ends the answer', async () => {
  for (const how of ['cut', 'gone'] as const) {
    const { connection, made, cut, end } = begin();
    await turn();
    if (how === 'cut') cut();
    else connection.destroy();
    await end;
    assert.ok(connection.destroyed && made() <= 2, how);
  }
});
