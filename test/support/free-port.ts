// Ports for programs that are started next, by tests that run side by side.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/**
 * Below those that the system gives to outgoing connections (32768 and on): such a port may be free when it is looked
 * at, and be some client's by the time that it is needed. Not those of e2e clusters (from 15050 on) either.
 */
const [FIRST, COUNT] = [11_000, 4_000];
let at = (process.pid * 61) % COUNT;

/** Nobody listens there. */
function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}

/**
 * Says to other processes of tests that a port is given to somebody who may not listen there yet: by the UDP port of
 * that number, which is held until this process ends, however it does.
 */
function claim(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = createSocket('udp4');
    socket.once('error', () => done(false));
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => {
      socket.unref();
      done(true);
    });
  });
}

/** Never the same twice. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < COUNT; tries++) {
    at = (at + 1) % COUNT;
    const port = FIRST + at;
    if ((await claim(port)) && (await isFree(port))) return port;
  }
  throw new Error('No free ports');
}
