// Notices the end of a leader's process within milliseconds, long before its lease or session is over: a
// connection to it breaks, and at its address nobody listens any more. Whoever is only cut off, stopped
// or slow does not answer like that and is left to its lease.
import { connect, type Socket } from 'node:net';
import type { Env, Timer } from '#env/env.ts';

const RETRY_MS = 500;

export class LeaderProbe {
  readonly #address: { readonly host: string; readonly port: number };
  readonly #onGone: () => void;
  readonly #env: Pick<Env, 'timers'>;
  #socket: Socket | undefined;
  #timer: Timer | undefined;
  /** The way to it is known to work; before that a refusal may be of a firewall. */
  #wasReached = false;
  #isClosed = false;

  constructor(
    address: { readonly host: string; readonly port: number },
    onGone: () => void,
    env: Pick<Env, 'timers'>,
  ) {
    this.#address = address;
    this.#onGone = onGone;
    this.#env = env;
    this.#connect();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#socket?.destroy();
  }

  #connect(): void {
    const socket = connect(this.#address);
    this.#socket = socket;
    let isConnected = false;
    let isRefused = false;
    socket.on('connect', () => {
      isConnected = true;
      this.#wasReached = true;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      isRefused = error.code === 'ECONNREFUSED';
    });
    socket.on('close', () => {
      if (this.#isClosed) return;
      if (isRefused && this.#wasReached) {
        this.close();
        this.#onGone();
      } else if (isConnected) this.#connect();
      else this.#timer = this.#env.timers.after(RETRY_MS, () => this.#connect());
    });
    socket.resume();
    socket.unref();
  }
}
