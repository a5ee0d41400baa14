// What is under way on the connections of one server, of both versions of HTTP, so that it can end when all of that
// has been answered. What has been upgraded is nobody's here: whoever took it ends it.
import type { ServerResponse } from 'node:http';
import type { ServerSession } from './session.ts';

export class OpenConnections {
  readonly #sessions = new Set<ServerSession>();
  readonly #answers = new Set<ServerResponse>();
  #ending: PromiseWithResolvers<void> | undefined;

  /** Of HTTP/2. */
  add(session: ServerSession): void {
    this.#sessions.add(session);
    if (this.#ending !== undefined) session.end();
  }

  closed(session: ServerSession): void {
    this.#sessions.delete(session);
    this.#check();
  }

  /** Of HTTP/1.1. */
  follow(answer: ServerResponse): void {
    this.#answers.add(answer);
    answer.once('close', () => {
      this.#answers.delete(answer);
      this.#check();
    });
    if (this.#ending !== undefined) isLast(answer);
  }

  /** Clients are told to go elsewhere. Resolves when no request is under way and no connection of HTTP/2 open. */
  end(): Promise<void> {
    if (this.#ending === undefined) {
      this.#ending = Promise.withResolvers();
      for (const session of this.#sessions) session.end();
      for (const answer of this.#answers) isLast(answer);
      this.#check();
    }
    return this.#ending.promise;
  }

  #check(): void {
    if (this.#sessions.size === 0 && this.#answers.size === 0) this.#ending?.resolve();
  }
}

/** Of its connection, if its head has not gone yet. */
function isLast(answer: ServerResponse): void {
  if (!answer.headersSent) answer.setHeader('Connection', 'close');
}
