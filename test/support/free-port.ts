// Ports for programs that are started next.
import { createServer } from 'node:net';

const given = new Set<number>();

/** Never the same twice: who was given one may not listen there yet. */
export function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => {
        if (given.has(port)) return void freePort().then(done, fail);
        given.add(port);
        done(port);
      });
    });
  });
}
