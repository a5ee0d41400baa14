// What pymesos.subprocess' scheduler says to its process executor: a process is asked for by a pickle in the data of
// its task, with the ports on which its standard streams are awaited, and signalled by a pickle in a message.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { run } from './cluster.ts';

/** One stream of a process, before it has connected. */
export interface AwaitedStream {
  readonly port: number;
  readonly connected: Promise<Socket>;
}

/** Listens for one connection. */
export async function awaitedStream(): Promise<AwaitedStream> {
  const server: Server = createServer({ allowHalfOpen: true });
  const connected = once(server, 'connection').then(([socket]) => {
    server.close();
    return socket as Socket;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, connected };
}

/** All of it, once it has ended. */
export async function textOf(stream: AwaitedStream): Promise<string> {
  return text(await stream.connected);
}

async function pickled(python: string, expression: string, word: string): Promise<Uint8Array> {
  const program = `import base64,json,pickle,sys
it = json.loads(sys.argv[1])
print(base64.b64encode(pickle.dumps(${expression})).decode())`;
  const made = await run([python, '-c', program, word]);
  if (made.status !== 0) throw new Error(`Python cannot pickle: ${made.stderr}`);
  return Buffer.from(made.stdout, 'base64');
}

/** The data of a task: `argv` with the streams standard input, output and error. */
export function processData(
  python: string,
  argv: readonly string[],
  streams: readonly AwaitedStream[],
): Promise<Uint8Array> {
  const handlers = streams.map(({ port }) => port);
  const word = JSON.stringify({ a: [argv], kw: {}, handlers, hostname: '127.0.0.1' });
  return pickled(python, 'it', word);
}

/** The data of a message to the executor: a signal for the process of that task. */
export function signalData(python: string, taskId: string, signal: number): Promise<Uint8Array> {
  const word = JSON.stringify([Number(taskId), 0, signal]);
  return pickled(python, 'tuple(it)', word);
}

/** The exit status in the data of a process' last update: as of Python's Popen, below zero for a signal. */
export async function returnCode(python: string, data: Uint8Array | undefined): Promise<number> {
  const program = 'import base64,pickle,sys; print(pickle.loads(base64.b64decode(sys.argv[1]))[0])';
  const made = await run([python, '-c', program, Buffer.from(data ?? []).toString('base64')]);
  if (made.status !== 0) throw new Error(`Python cannot read it: ${made.stderr}`);
  return Number(made.stdout);
}
