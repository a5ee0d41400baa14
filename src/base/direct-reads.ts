// Bytes of a connection that go straight to who reads them, past the buffer and the events of a stream, which
// cost more than reading most of what comes here. Everything else about the stream stays as it is.
import type { Socket } from 'node:net';

/**
 * `onData` gets every chunk, as a listener of `data` does, which it must not be besides; while the socket is paused,
 * and until what came meanwhile is read, they go the stream's own way. Ends when the function that is returned
 * is called, or with the connection.
 */
export function readDirectly(socket: Socket, onData: (chunk: Buffer) => void): () => void {
  // `push` is what a stream's source calls with what has come (node:stream, "readable.push"). Until the stream has
  // been read once it does not flow, and nothing passes by.
  const push = (chunk: Buffer | null, encoding?: BufferEncoding): boolean => {
    if (chunk === null || socket.readableFlowing !== true || socket.readableLength > 0) {
      return Object.getPrototypeOf(socket).push.call(socket, chunk, encoding) as boolean;
    }
    onData(chunk);
    return true;
  };
  Object.defineProperty(socket, 'push', { value: push, configurable: true, writable: true });
  socket.on('data', onData);
  return () => {
    socket.off('data', onData);
    Reflect.deleteProperty(socket, 'push');
  };
}
