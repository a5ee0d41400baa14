// The socket in the file system by which executors reach the agent without the network
// (`--http_executor_domain_sockets`, Mesos 1.11, slave/main.cpp): the executor API and the operator API, nothing else.
import { once } from 'node:events';
import { chmod, lstat, readFile, readlink, unlink } from 'node:fs/promises';
import type { Server, ServerOptions } from 'node:http';
import { Fault } from '#base/fault.ts';
import type { RequestHandler } from '#mesos/security/port-server.ts';

/** The kernel takes no longer path. */
const PATH_BYTES_MAX = 107;
const SYSTEMD = 'systemd:';
/** The first that systemd passes (sd_listen_fds(3)). */
const FIRST_PASSED = 3;
/** What systemd calls a socket that has no name. */
const NAMELESS = 'unknown';

/** Reads `--domain_socket_location`; undefined when it is empty. */
export function socketPath(text: string): string | undefined {
  if (text === '') return undefined;
  if (Buffer.byteLength(text) > PATH_BYTES_MAX) {
    throw new Error('Domain socket location cannot be longer than 108 characters.');
  }
  return text;
}

export interface ExecutorSocketOptions {
  /** A path, or `systemd:` and the name of a socket that this process was given. */
  readonly location: string;
  /** Paths that are answered. */
  readonly paths: ReadonlySet<string>;
  readonly http: ServerOptions;
}

export class ExecutorSocket {
  /** What executors are told. */
  readonly path: string;
  readonly #server: Server;
  #handler: RequestHandler | undefined;

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
  }

  /** Listens; answers once `onRequest` has been called. Fault `cannot-listen`. */
  static async open({ location, paths, http }: ExecutorSocketOptions): Promise<ExecutorSocket> {
    // An agent without such a socket may never need it, and it is 3 MB.
    const { createServer } = process.getBuiltinModule('node:http');
    const server = createServer(http);
    try {
      const opened = new ExecutorSocket(await listen(server, location), server);
      server.on('request', (request, response) => {
        const [pathname = ''] = (request.url ?? '').split('?');
        if (paths.has(pathname)) {
          opened.#handler?.(request, response);
          return;
        }
        request.resume();
        response.writeHead(403).end();
      });
      return opened;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const message = `Cannot listen on domain socket '${location}': ${why}`;
      throw new Fault({ code: 'cannot-listen', path: location }, message, { cause });
    }
  }

  onRequest(handler: RequestHandler): void {
    this.#handler = handler;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

async function listen(server: Server, location: string): Promise<string> {
  const passed = location.startsWith(SYSTEMD)
    ? passedSocket(location.slice(SYSTEMD.length), process.env, process.pid)
    : undefined;
  if (passed !== undefined) {
    const path = await pathOfSocket(passed);
    server.listen({ fd: passed });
    await once(server, 'listening');
    return path;
  }
  if (socketPath(location) === undefined) throw new Error('it has no path');
  // That of an earlier life; whatever else is there stays, and is told by listen().
  const there = await lstat(location).catch(() => undefined);
  if (there?.isSocket() === true) await unlink(location);
  server.listen(location);
  await once(server, 'listening');
  // Executors are of many users; who they are is told by their tokens.
  await chmod(location, 0o666);
  return location;
}

/** The descriptor of the one socket of that name, or of none, that systemd has passed to the process. */
export function passedSocket(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): number {
  const { LISTEN_PID, LISTEN_FDS = '0', LISTEN_FDNAMES = '' } = environment;
  const count = LISTEN_PID === String(pid) ? Number(LISTEN_FDS) : 0;
  const names = LISTEN_FDNAMES.split(':');
  const found = Array.from({ length: count }, (_, at) => at).filter((at) =>
    [name, NAMELESS].includes(names[at] || NAMELESS),
  );
  const [first] = found;
  if (first === undefined || found.length > 1) {
    throw new Error(`Expected exactly one socket with name ${name}, got ${found.length} instead.`);
  }
  return FIRST_PASSED + first;
}

/** The kernel knows where a socket is bound that somebody else has made. */
async function pathOfSocket(descriptor: number): Promise<string> {
  const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/self/fd/${descriptor}`))?.[1];
  const lines = (await readFile('/proc/self/net/unix', 'utf8')).split('\n');
  const fields = lines.map((line) => line.trim().split(/\s+/)).find((line) => line[6] === inode);
  const path = fields?.slice(7).join(' ') ?? '';
  if (!path.startsWith('/')) throw new Error('the socket that was passed has no path');
  return path;
}
