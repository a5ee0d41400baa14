// Tells when containers of a CRI runtime have ended: by the runtime's events where it sends any, and by
// looking over all of them at an interval, as the kubelet does: short without events, long with them.
import type { Timer, Timers } from '#env/env.ts';
import { hasGrpcCode, type CriClient, type CriMessage } from '#kube/cri/cri-client.ts';

export const containerStates = { created: 0, running: 1, exited: 2 } as const;

const lookEveryMs = 1_000;
const repairEveryMs = 10_000;

export class CriExits {
  readonly #client: CriClient;
  readonly #timers: Timers;
  readonly #waiting = new Map<string, (status: CriMessage | undefined) => void>();
  #hasEvents = false;
  #mayHaveEvents = true;
  #timer: Timer | undefined;
  #isLooking = false;
  #cancel: () => void = () => {};

  constructor(client: CriClient, timers: Timers) {
    this.#client = client;
    this.#timers = timers;
  }

  isWatched(id: string): boolean {
    return this.#waiting.has(id);
  }

  /** The status of the container when it has ended; undefined when the runtime no longer has it. */
  async ended(id: string): Promise<CriMessage | undefined> {
    const ended = new Promise<CriMessage | undefined>((done) => this.#waiting.set(id, done));
    this.#listen();
    this.#tick();
    void this.#look(id);
    return ended;
  }

  close(): void {
    this.#waiting.clear();
    this.#timer?.cancel();
    this.#cancel();
  }

  #settle(id: string, status: CriMessage | undefined): void {
    const done = this.#waiting.get(id);
    this.#waiting.delete(id);
    done?.(status);
  }

  async #look(id: string): Promise<void> {
    if (!this.#waiting.has(id)) return;
    try {
      const { status } = await this.#client.call('ContainerStatus', { container_id: id });
      const found = (status ?? {}) as CriMessage;
      if (Number(found['state']) === containerStates.exited) this.#settle(id, found);
    } catch (error) {
      // A runtime that is away says nothing about the container.
      if (hasGrpcCode(error, 'not-found')) this.#settle(id, undefined);
    }
  }

  #listen(): void {
    if (this.#hasEvents || !this.#mayHaveEvents) return;
    this.#hasEvents = true;
    const events = this.#client.events(
      (id) => void this.#look(id),
      (error) => {
        this.#hasEvents = false;
        if (hasGrpcCode(error, 'unimplemented')) this.#mayHaveEvents = false;
        // From now on it is looked more often.
        this.#timer?.cancel();
        this.#timer = undefined;
        this.#tick();
      },
    );
    this.#cancel = () => events.cancel();
  }

  #tick(): void {
    if (this.#timer !== undefined || this.#isLooking || this.#waiting.size === 0) return;
    const delayMs = this.#hasEvents ? repairEveryMs : lookEveryMs;
    this.#timer = this.#timers.after(delayMs, () => {
      this.#timer = undefined;
      this.#isLooking = true;
      void this.#lookOver().finally(() => {
        this.#isLooking = false;
        if (this.#waiting.size > 0) this.#listen();
        this.#tick();
      });
    });
  }

  async #lookOver(): Promise<void> {
    if (this.#waiting.size === 0) return;
    try {
      const filter = { state: { state: containerStates.running } };
      const { containers } = await this.#client.call('ListContainers', { filter });
      const running = new Set(
        ((containers ?? []) as readonly { readonly id: string }[]).map(({ id }) => id),
      );
      for (const id of this.#waiting.keys()) if (!running.has(id)) await this.#look(id);
    } catch {
      // The runtime is away: at the next look it may be back.
    }
  }
}
