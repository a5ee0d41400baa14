// Opens a connection to a pod's port, or says in one line why it cannot.
import type { Socket } from 'node:net';
import { Fault } from '#base/fault.ts';

export function dialIn(socket: Socket): Promise<Socket> {
  return new Promise((done, fail) => {
    const refused = (error: Error): void => {
      socket.destroy();
      fail(new Fault({ code: 'dial' }, `Cannot connect: ${error.message}`, { cause: error }));
    };
    socket.once('error', refused);
    socket.once('connect', () => {
      socket.off('error', refused);
      socket.setNoDelay(true);
      done(socket);
    });
  });
}
