// Ports that are given to tests which run side by side.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';

const run = promisify(execFile);
const DRAWN = 150;

/** Draws in a process of its own, which ends when its input does: until then it may listen on each. */
const DRAW = `
  import { freePort } from ${JSON.stringify(import.meta.resolve('./free-port.ts'))};
  const ports = await Promise.all(Array.from({ length: ${DRAWN} }, () => freePort()));
  process.stdout.write(JSON.stringify(ports));
  process.stdin.resume();
`;

test('processes that draw at once are never given the same, nor one of outgoing connections', async () => {
  const drawing = Array.from({ length: 4 }, () =>
    run(process.execPath, ['--input-type=module', '--eval', DRAW]),
  );
  const own = await Promise.all(Array.from({ length: DRAWN }, () => freePort()));
  const drawn = drawing.map(
    ({ child }) =>
      new Promise<number[]>((done) => {
        child.stdout?.once('data', (text: string) => {
          done(JSON.parse(text) as number[]);
        });
      }),
  );
  const all = [...own, ...(await Promise.all(drawn)).flat()];
  for (const { child } of drawing) child.stdin?.end();
  await Promise.all(drawing);
  assert.equal(new Set(all).size, 5 * DRAWN);
  assert.ok(
    all.every((port) => port < 32_768),
    all.join(),
  );
});

test('a port that somebody listens on is not given', async () => {
  const next = (await freePort()) + 1;
  const server = createServer();
  await new Promise<void>((done) => server.listen(next, '127.0.0.1', done));
  assert.notEqual(await freePort(), (server.address() as AddressInfo).port);
  await new Promise((done) => server.close(done));
});
