// The group of masters on virtual time: the simulated side of `mesos/election/group.ts` as it is on etcd.
// Entries are held by leases; the one that was made first leads; whoever watches is told late, in order.
import type { Member } from '#mesos/election/group.ts';
import { Channel, Life, remoteCall, type Network } from './network.ts';

export const REGISTRY_HOST = 'registry';
const LEASE_MS = 5_000;
const KEEP_MS = 1_000;
const RETRY_MS = 200;

interface Entry {
  readonly member: Member;
  expiresAt: number;
}

interface Watch {
  readonly channel: Channel;
  readonly onLeader: (leader: Member | undefined) => void;
}

export interface EntryHandlers {
  onEntered(id: string): void;
  /** Called once: whoever entered must not think that it leads. */
  onLost(): void;
}

export class SimGroup {
  readonly life = new Life(REGISTRY_HOST, 'etcd');
  readonly #network: Network;
  readonly #entries: Entry[] = [];
  readonly #watches = new Set<Watch>();
  #told: string | undefined;
  #ids = 0;
  /** As the group sees it; a mutant makes it shorter. */
  leaseMs = LEASE_MS;

  constructor(network: Network) {
    this.#network = network;
  }

  /** As often as it takes; an entry whose answer was lost goes with its lease. */
  join(life: Life, address: string, handlers: EntryHandlers): void {
    const { clock } = this.#network;
    const askedAt = clock.monotonicMs();
    this.#call(
      life,
      () => this.#enter(address),
      (id) => {
        if (!life.isAlive) return;
        if (id === undefined) clock.after(RETRY_MS, () => this.join(life, address, handlers));
        else {
          this.#keep(life, { id, keptAt: askedAt, isLost: false }, handlers);
          handlers.onEntered(id);
        }
      },
    );
  }

  /** Its process is known to be gone. */
  evict(life: Life, id: string): void {
    this.#call(
      life,
      () => this.#remove(id),
      () => {},
    );
  }

  /** Now and at every change, as long as whoever watches lives. */
  watch(life: Life, onLeader: (leader: Member | undefined) => void): void {
    let isWatching = false;
    const again = (): void => {
      this.#network.clock.after(RETRY_MS, () => {
        if (life.isAlive) this.watch(life, onLeader);
      });
    };
    const request: Channel = new Channel(this.#network, {
      from: life,
      to: this.life,
      onBroken: () => {
        if (!isWatching) again();
      },
    });
    request.send(() => {
      isWatching = true;
      const channel = new Channel(this.#network, {
        from: this.life,
        to: life,
        onBroken: () => this.#watches.delete(watch),
        onClosed: again,
      });
      const watch = { channel, onLeader };
      this.#watches.add(watch);
      this.#tell(watch);
      request.finish();
    });
  }

  // ---- a master's side

  #keep(
    life: Life,
    entry: { readonly id: string; keptAt: number; isLost: boolean },
    handlers: EntryHandlers,
  ): void {
    const { clock } = this.#network;
    const lose = (): void => {
      if (!entry.isLost) handlers.onLost();
      entry.isLost = true;
    };
    if (!life.isAlive || entry.isLost) return;
    const askedAt = clock.monotonicMs();
    if (askedAt - entry.keptAt >= LEASE_MS) return lose();
    this.#call(
      life,
      () => this.#extend(entry.id),
      (isThere) => {
        if (!life.isAlive) return;
        if (isThere === false) lose();
        // Counted from the question, which is surely before the answer.
        else if (isThere === true) entry.keptAt = Math.max(entry.keptAt, askedAt);
      },
    );
    clock.after(KEEP_MS, () => this.#keep(life, entry, handlers));
  }

  #call<T>(from: Life, act: () => T, answer: (value: T | undefined) => void): void {
    remoteCall(this.#network, { from, to: this.life }, act, answer);
  }

  // ---- the group's side

  #enter(address: string): string {
    this.#ids += 1;
    const id = `entry-${this.#ids}`;
    const member: Member = { id, info: { id: address, ip: 0, port: 5050 } };
    this.#entries.push({ member, expiresAt: 0 });
    this.#extend(id);
    this.#changed();
    return id;
  }

  #extend(id: string): boolean {
    const { clock } = this.#network;
    const entry = this.#entries.find(({ member }) => member.id === id);
    if (entry === undefined) return false;
    const at = clock.monotonicMs() + this.leaseMs;
    entry.expiresAt = at;
    clock.after(this.leaseMs, () => {
      if (entry.expiresAt === at) this.#remove(id);
    });
    return true;
  }

  #remove(id: string): void {
    const at = this.#entries.findIndex(({ member }) => member.id === id);
    if (at < 0) return;
    this.#entries.splice(at, 1);
    this.#changed();
  }

  #changed(): void {
    const id = this.#entries[0]?.member.id;
    if (id === this.#told) return;
    this.#told = id;
    for (const watch of this.#watches) this.#tell(watch);
  }

  #tell({ channel, onLeader }: Watch): void {
    const leader = this.#entries[0]?.member;
    channel.send(() => onLeader(leader));
  }
}
