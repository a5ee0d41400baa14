// What a client owes a server that has many: not too many requests at once, and coming back when the
// server says so instead of failing (as client-go does on 429 with Retry-After).
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiResponse } from './transport.ts';

/** The server shares its places among all of its clients. */
const UNDER_WAY_MAX = 128;
/** As client-go. */
const TRIES_MAX = 10;

export class Patience {
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;
  #isOver = false;

  /** Nobody waits any more. */
  end(): void {
    this.#isOver = true;
    for (const go of this.#waiting.splice(0)) go();
  }

  async send(
    once: () => Promise<ApiResponse>,
    signal: AbortSignal | undefined,
  ): Promise<ApiResponse> {
    for (let tries = 1; ; tries++) {
      const answer = await this.#inTurn(once);
      const { status, retryAfterSeconds } = answer;
      const isRefused = status === 429 && retryAfterSeconds !== undefined;
      if (!isRefused || tries >= TRIES_MAX || this.#isOver) return answer;
      await delay(retryAfterSeconds * 1_000, undefined, signal === undefined ? {} : { signal });
    }
  }

  async #inTurn(once: () => Promise<ApiResponse>): Promise<ApiResponse> {
    if (this.#underWay < UNDER_WAY_MAX) this.#underWay += 1;
    else await new Promise<void>((go) => this.#waiting.push(go));
    try {
      return await once();
    } finally {
      // The place goes to whoever has waited longest.
      const next = this.#waiting.shift();
      if (next === undefined) this.#underWay -= 1;
      else next();
    }
  }
}

/** Out of the header; nothing when it says nothing. */
export function retryAfter(header: unknown): { retryAfterSeconds?: number } {
  const seconds = Number(header ?? NaN);
  return Number.isInteger(seconds) && seconds > 0 ? { retryAfterSeconds: seconds } : {};
}
