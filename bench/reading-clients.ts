// A program: clients that each read one path over and over until SIGTERM; then one line of what they
// read. `node reading-clients.ts PORT PATH CLIENTS`.
import { Agent, get } from 'node:http';

const [port = '', path = '/', clients = '1'] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true });
const seconds: number[] = [];
let bytes = 0;
let isOver = false;
let began = 0;

function readOnce(): Promise<void> {
  return new Promise((done, fail) => {
    const from = performance.now();
    const asked = get({ host: '127.0.0.1', port, path, agent }, (response) => {
      if (response.statusCode !== 200) fail(new Error(`status ${response.statusCode}`));
      response.on('data', (chunk: Buffer) => (bytes += chunk.length));
      response.once('error', fail);
      response.once('end', () => {
        seconds.push((performance.now() - from) / 1_000);
        done();
      });
    });
    asked.once('error', fail);
  });
}

async function read(): Promise<void> {
  while (!isOver) await readOnce();
}

process.on('SIGTERM', () => {
  isOver = true;
  const window_s = (performance.now() - began) / 1_000;
  const read = {
    step: 'read',
    reads: seconds.length,
    bytes,
    window_s,
    max_s: Math.max(...seconds),
  };
  process.stdout.write(`${JSON.stringify(read)}\n`, () => process.exit(0));
});

// What nobody has read before is written first; that is not what is measured.
await readOnce();
seconds.length = 0;
bytes = 0;
began = performance.now();
process.stdout.write('{"step":"reading"}\n');
await Promise.all(Array.from({ length: Number(clients) }, () => read()));
