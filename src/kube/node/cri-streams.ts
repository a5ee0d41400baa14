// The client's side of a CRI runtime's streaming server: exec and attach by the URL that it gave.
import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { Fault } from '#base/fault.ts';
import type { ExecSession } from './runtime.ts';
import { SpdyConnection } from '#kube/streaming/spdy-connection.ts';

export interface StreamOptions {
  readonly stdin: boolean;
  readonly tty: boolean;
}

function upgrade(url: string): Promise<Duplex> {
  return new Promise((done, fail) => {
    const sent = request(url, {
      method: 'POST',
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'SPDY/3.1',
        'X-Stream-Protocol-Version': 'v4.channel.k8s.io',
      },
    });
    sent.once('error', fail);
    sent.once('response', (response) => {
      response.resume();
      const what = `The runtime refused to stream: status ${response.statusCode}`;
      fail(new Fault({ code: 'cri-stream' }, what));
    });
    sent.once('upgrade', (_response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      done(socket);
    });
    sent.end();
  });
}

function exitCodeOf(status: string): number {
  const parsed = (status === '' ? {} : JSON.parse(status)) as {
    readonly status?: string;
    readonly message?: string;
    readonly details?: { readonly causes?: readonly { reason?: string; message?: string }[] };
  };
  if (parsed.status === 'Success' || parsed.status === undefined) return 0;
  const cause = parsed.details?.causes?.find(({ reason }) => reason === 'ExitCode');
  if (cause !== undefined) return Number(cause.message);
  throw new Fault({ code: 'cri-stream' }, parsed.message ?? 'The runtime reports a failure');
}

/** All that comes, also when the runtime closes the connection instead of the stream. */
function wholeText(stream: Duplex): Promise<string> {
  return new Promise((done) => {
    const pieces: Buffer[] = [];
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.once('close', () => done(Buffer.concat(pieces).toString('utf8')));
    stream.once('end', () => done(Buffer.concat(pieces).toString('utf8')));
  });
}

export async function openSession(url: string, options: StreamOptions): Promise<ExecSession> {
  const socket = await upgrade(url);
  const connection = new SpdyConnection(socket, { role: 'client' });
  const open = (streamtype: string) => connection.open({ streamtype });
  const error = await open('error');
  const stdin = options.stdin ? await open('stdin') : undefined;
  const stdout = await open('stdout');
  const stderr = options.tty ? undefined : await open('stderr');
  const resize = options.tty ? await open('resize') : undefined;
  for (const stream of [error, stdin, stdout, stderr, resize]) stream?.on('error', () => {});
  // Nothing is ever said on these. Were it said when their readers are done, the runtime, which closes right after the
  // status, would leave it unread, and with the reset that follows the status itself would be lost.
  for (const silent of [error, stdout, stderr]) silent?.end();
  const exitCode = wholeText(error).then((status) => {
    connection.close();
    return exitCodeOf(status);
  });
  exitCode.catch(() => {});
  return {
    stdin,
    stdout,
    stderr,
    exitCode,
    resize: ({ columns, rows }) => resize?.write(JSON.stringify({ Width: columns, Height: rows })),
    kill: () => connection.close(),
  };
}
