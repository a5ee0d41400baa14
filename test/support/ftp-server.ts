// A server of files by FTP (RFC 959, passive mode with RFC 2428), for clients that only read.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

const list = (server: Server): Promise<number> =>
  new Promise((done) => {
    server.listen(0, '127.0.0.1', () => done((server.address() as AddressInfo).port));
  });

/** `files`: absolute path -> content. */
export async function startFtp(
  files: ReadonlyMap<string, string>,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  };
  const server = createServer((control) => {
    keep(control);
    serve(control, files, keep);
  });
  const port = await list(server);
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => server.close(done));
  };
  return { port, close };
}

function serve(
  control: Socket,
  files: ReadonlyMap<string, string>,
  keep: (socket: Socket) => void,
): void {
  let folder = '/';
  let data: Promise<Socket> | undefined;
  const say = (line: string): void => void control.write(`${line}\r\n`);
  const at = (name: string): string => (name.startsWith('/') ? name : `${folder}${name}`);
  const openData = async (): Promise<void> => {
    const listener = createServer();
    data = new Promise((done) => {
      listener.once('connection', (socket) => {
        keep(socket);
        listener.close();
        done(socket);
      });
    });
    say(`229 Entering Extended Passive Mode (|||${await list(listener)}|)`);
  };
  const send = async (text: string): Promise<void> => {
    say('150 here it comes');
    (await data)?.end(text, () => say('226 done'));
  };
  const commands: Record<string, (rest: string) => void> = {
    USER: () => say('331 who'),
    PASS: () => say('230 welcome'),
    PWD: () => say(`257 "${folder}"`),
    CWD: (rest) => {
      folder = `${at(rest).replace(/\/$/, '')}/`;
      say('250 there');
    },
    EPSV: () => void openData(),
    TYPE: () => say('200 as you like'),
    SIZE: (rest) => {
      const text = files.get(at(rest));
      say(text === undefined ? '550 no such file' : `213 ${Buffer.byteLength(text)}`);
    },
    RETR: (rest) => {
      const text = files.get(at(rest));
      if (text === undefined) say('550 no such file');
      else void send(text);
    },
    QUIT: () => control.end('221 farewell\r\n'),
  };
  let buffered = '';
  control.setEncoding('utf8');
  control.on('data', (text: string) => {
    const lines = (buffered + text).split('\r\n');
    buffered = lines.pop() ?? '';
    for (const line of lines) {
      const [name = '', rest = ''] = line.split(/ (.*)/s);
      const command = commands[name.toUpperCase()];
      if (command === undefined) say('502 not here');
      else command(rest);
    }
  });
  say('220 ready');
}
