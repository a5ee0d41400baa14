// One HTTP request over a bare socket, as broken as it is given, and what came back of it.
import { connect } from 'node:net';

export interface RawAnswer {
  /** Of the last answer but 100; undefined: the connection ended, or nothing came in time. */
  readonly status: number | undefined;
  readonly how: 'answered' | 'stream' | 'closed' | 'silent';
  readonly text: string;
}

const TEXT_BYTES_MAX = 64 * 1024;

/** Whole: its headers, and as many bytes as they promise. */
function outcomeOf(text: string): Pick<RawAnswer, 'status' | 'how'> | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = text.slice(0, end);
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1]);
  if (status === 100) return outcomeOf(text.slice(end + 4));
  const length = /^content-length: (\d+)$/im.exec(head)?.[1];
  if (length !== undefined) {
    const isWhole = text.length >= Math.min(end + 4 + Number(length), TEXT_BYTES_MAX);
    return isWhole || status === 304 ? { status, how: 'answered' } : undefined;
  }
  if (/^transfer-encoding: chunked$/im.test(head)) {
    return { status, how: text.endsWith('0\r\n\r\n') ? 'answered' : 'stream' };
  }
  return { status, how: 'stream' };
}

/** `parts` go out one after the other; `cutsOff`: the connection ends behind the last. */
export function exchange(
  port: number,
  parts: readonly Uint8Array[],
  how: { readonly cutsOff: boolean; readonly waitMs: number },
): Promise<RawAnswer> {
  return new Promise((done) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    let text = '';
    let isDone = false;
    const finish = (answer: Pick<RawAnswer, 'status' | 'how'>): void => {
      if (isDone) return;
      isDone = true;
      clearTimeout(timer);
      socket.destroy();
      done({ ...answer, text });
    };
    const timer = setTimeout(() => {
      const seen = outcomeOf(text);
      finish(seen ?? { status: undefined, how: 'silent' });
    }, how.waitMs);
    socket.on('error', () => {});
    socket.on('close', () =>
      finish({ ...(outcomeOf(text) ?? { status: undefined }), how: 'closed' }),
    );
    socket.on('data', (chunk: Buffer) => {
      if (text.length < TEXT_BYTES_MAX) text += chunk.toString('latin1');
      const seen = outcomeOf(text);
      // A stream is open as soon as it says so; nobody waits for its end.
      if (seen !== undefined) finish(seen);
    });
    socket.on('connect', () => {
      const send = (at: number): void => {
        const part = parts[at];
        if (part === undefined) {
          if (how.cutsOff) socket.end();
          return;
        }
        socket.write(part, () => send(at + 1));
      };
      send(0);
    });
  });
}
