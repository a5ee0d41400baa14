// Watches over a websocket, as clients for Java and browsers ask for them: what they are told, message by message,
// is what a kube-apiserver 1.37 tells them, where one is there to be asked; logs are in cri-runtime and e2e tests.
import assert from 'node:assert/strict';
import test from 'node:test';
import { WebSocket } from 'ws';
import { playOnBoth, skipWithoutReal } from '#test/support/both-servers.ts';
import { eventually } from '#test/support/cluster.ts';
import { senderTo, type Target } from '#test/support/kube-sender.ts';
import { startOwnServer } from '#test/support/step-target.ts';

const home = '/api/v1/namespaces/default/configmaps';
const json = { 'content-type': 'application/json' };
const protobuf = 'application/vnd.kubernetes.protobuf;stream=watch';

interface Opened {
  readonly protocol: string;
  /** Each as it came, with the time and versions of this run left out. */
  next(): Promise<string>;
}

type Outcome = { readonly refused: string } | Opened;

interface OpenOptions {
  readonly accept?: string;
  readonly protocols?: string[];
}

function openWatch(
  target: Target,
  query: string,
  { accept, protocols = [], opened }: OpenOptions & { readonly opened: WebSocket[] },
): Promise<Outcome> {
  const url = `${target.server.replace('https', 'wss')}${home}?watch=1&${query}`;
  const headers = { ...target.headers, ...(accept === undefined ? {} : { accept }) };
  // Upstream wants to know where the asking page came from.
  const origin = target.server;
  const socket = new WebSocket(url, protocols, { agent: target.agent, headers, origin });
  opened.push(socket);
  const told: string[] = [];
  let wake: () => void = () => {};
  const tell = (text: string): void => {
    told.push(text);
    wake();
  };
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    tell(isBinary ? `binary ${data.subarray(0, 4).toString('latin1')}` : `text ${shown(data)}`);
  });
  socket.on('close', (code) => tell(`close ${code}`));
  return new Promise((done) => {
    socket.on('error', () => done({ refused: 'error' }));
    socket.on('unexpected-response', (_request, answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
      answer.on('end', () => {
        const isStatus = text.startsWith('{');
        const said = isStatus ? (JSON.parse(text) as Record<string, unknown>) : { message: text };
        const { code, reason, message } = said;
        done({ refused: `${answer.statusCode} ${code} ${reason} ${message}` });
      });
    });
    socket.on('open', () =>
      done({
        protocol: socket.protocol,
        async next() {
          while (told.length === 0) await new Promise<void>((awake) => (wake = awake));
          return told.shift() ?? '';
        },
      }),
    );
  });
}

function shown(data: Buffer): string {
  const text = data.toString();
  const { type, object } = JSON.parse(text) as {
    readonly type: string;
    readonly object: { readonly metadata?: { readonly name?: string }; readonly code?: number };
  };
  const end = text.endsWith('}\n') ? 'line' : 'no line';
  return `${type} ${object.metadata?.name ?? ''}${object.code ?? ''} ${end}`;
}

async function next(outcome: Outcome): Promise<string> {
  return 'refused' in outcome ? outcome.refused : await outcome.next();
}

async function play(target: Target): Promise<string[]> {
  const opened: WebSocket[] = [];
  try {
    return await playWith(target, opened);
  } finally {
    for (const one of opened) one.terminate();
  }
}

async function playWith(target: Target, opened: WebSocket[]): Promise<string[]> {
  const send = senderTo(target);
  await eventually('the namespace is there', async () => {
    return (await send({ method: 'GET', path: '/api/v1/namespaces/default' })).status === 200;
  });
  const open = (query: string, options?: OpenOptions): Promise<Outcome> =>
    openWatch(target, query, { ...options, opened });
  const write = async (method: string, path: string, body: object): Promise<void> => {
    const answer = await send({ method, path, headers: json, body: JSON.stringify(body) });
    assert.ok(answer.status < 300, answer.bytes.toString());
  };
  const said: string[] = [];
  const seen = 'fieldSelector=metadata.name%3Dseen';
  const watch = await open(seen);
  const binary = await open(seen, { accept: protobuf });
  const named = await open(seen, { protocols: ['mine'] });
  said.push('refused' in named ? named.refused : `protocol ${named.protocol}`);
  await write('POST', home, { metadata: { name: 'other' } });
  await write('POST', home, { metadata: { name: 'seen' }, data: { a: 'x\ny' } });
  said.push(await next(watch), await next(binary), await next(named));
  await write('PUT', `${home}/seen`, { metadata: { name: 'seen' }, data: { a: 'z' } });
  said.push(await next(watch), await next(binary));
  await send({ method: 'DELETE', path: `${home}/seen` });
  said.push(await next(watch));
  const short = await open(`${seen}&timeoutSeconds=1`);
  said.push(await next(short));
  const initial = await open('fieldSelector=metadata.name%3Dother');
  said.push(await next(initial));
  said.push(await next(await open('resourceVersion=x')));
  said.push(await next(await open('labelSelector=%3D%3D')));
  return said;
}

const expected = [
  'protocol mine',
  'text ADDED seen line',
  // The first field of a WatchEvent: ADDED, MODIFIED.
  'binary \n\u0005AD',
  'text ADDED seen line',
  'text MODIFIED seen line',
  'binary \n\bMO',
  'text DELETED seen line',
  'close 1000',
  'text ADDED other line',
];

test('a watch over a websocket', async () => {
  const own = await startOwnServer();
  try {
    const said = await play(own.target);
    assert.deepEqual(said.slice(0, expected.length), expected);
    assert.match(said[expected.length] ?? '', /^(500|400) /);
    assert.match(said[expected.length + 1] ?? '', /^400 400 BadRequest /);
  } finally {
    await own.close();
  }
});

test('kube-apiserver tells the same', { skip: skipWithoutReal }, async () => {
  const { own, real } = await playOnBoth(play);
  assert.deepEqual(own, real);
});
