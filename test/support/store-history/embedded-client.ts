// Speaks to embedded-server.ts, and kills it. What was asked and not answered when it died has an outcome
// that nobody knows.
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type {
  KeyValue,
  RangeOptions,
  RangeResult,
  StoreEvent,
  Txn,
  TxnResult,
} from '#store/store.ts';
import type { Asked, Told } from './embedded-server.ts';

type Ask = Asked extends infer One ? (One extends Asked ? Omit<One, 'id'> : never) : never;

interface Waiting {
  readonly done: (result: unknown) => void;
  readonly fail: (error: Error) => void;
}

export class EmbeddedClient {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #watches = new Map<number, (events: readonly StoreEvent[], revision: number) => void>();
  #next = 1;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('exit', () => {
      for (const { fail } of this.#waiting.values()) fail(new Error('the store has died'));
      this.#waiting.clear();
    });
  }

  static async start(path: string): Promise<EmbeddedClient> {
    const child = fork(join(import.meta.dirname, 'embedded-server.ts'), [path], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const client = new EmbeddedClient(child);
    await new Promise<void>((ready, fail) => {
      child.once('exit', () => fail(new Error('the store did not start')));
      child.on('message', (told: Told) => {
        if ('ready' in told) return ready();
        client.#onTold(told);
      });
    });
    return client;
  }

  #onTold(told: Exclude<Told, { ready: true }>): void {
    if ('watch' in told) return this.#watches.get(told.watch)?.(told.events, told.revision);
    const waiting = this.#waiting.get(told.id);
    this.#waiting.delete(told.id);
    if ('error' in told) waiting?.fail(new Error(told.error));
    else waiting?.done(told.result);
  }

  #ask(asked: Ask): { id: number; answer: Promise<unknown> } {
    const id = this.#next++;
    const answer = new Promise<unknown>((done, fail) => {
      if (!this.#child.connected) return fail(new Error('the store has died'));
      this.#waiting.set(id, { done, fail });
      this.#child.send({ ...asked, id }, (error) => {
        if (error !== null) this.#waiting.delete(id);
        if (error !== null) fail(error);
      });
    });
    return { id, answer };
  }

  async txn(txn: Txn): Promise<TxnResult> {
    return (await this.#ask({ ask: 'txn', txn }).answer) as TxnResult;
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    return (await this.#ask({ ask: 'range', options }).answer) as RangeResult;
  }

  async get(key: string): Promise<KeyValue | undefined> {
    return (await this.range({ start: key, end: `${key}\u0000` })).items[0];
  }

  async watch(
    { start, end, from }: { start: string; end: string; from: number },
    onEvents: (events: readonly StoreEvent[], revision: number) => void,
  ): Promise<void> {
    const { id, answer } = this.#ask({ ask: 'watch', start, end, from });
    this.#watches.set(id, onEvents);
    await answer;
  }

  async signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    const gone = new Promise((done) => this.#child.once('exit', done));
    this.#child.kill(signal);
    if (signal === 'SIGKILL') await gone;
  }
}
