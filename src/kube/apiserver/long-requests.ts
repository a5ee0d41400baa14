// Requests without an end of their own (watches, logs that are followed, what nodes and extension servers answer):
// a server that ends waits for all others.
import type { ServerResponse } from 'node:http';

export class LongRequests {
  readonly #answers = new Set<ServerResponse>();
  #isEnding = false;

  add(answer: ServerResponse): void {
    if (this.#isEnding) return void answer.destroy();
    this.#answers.add(answer);
    answer.once('close', () => this.#answers.delete(answer));
  }

  /** Those that have been ended already keep what is still to be sent; no others begin. */
  end(): void {
    this.#isEnding = true;
    for (const answer of this.#answers) if (!answer.writableEnded) answer.destroy();
  }
}
