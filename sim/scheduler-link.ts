// A scheduler's connection to the master: subscribes, subscribes again when it ends, and carries calls
// while it lasts. One for each life of a framework.
import type { FrameworkInfo, SchedulerCall, SchedulerEvent } from '#wire/mesos/v1.ts';
import type { MasterProcess } from './master-process.ts';
import { Channel, type Life } from './network.ts';
import type { World } from './world.ts';

const RESUBSCRIBE_MS = 500;

/** A second one changes nothing; a second ACCEPT would be one of offers that are gone. */
const REPEATABLE: ReadonlySet<string> = new Set([
  'ACKNOWLEDGE',
  'ACKNOWLEDGE_OPERATION_STATUS',
  'KILL',
  'DECLINE',
  'RECONCILE',
  'RECONCILE_OPERATIONS',
]);

interface Subscription {
  /** Once the call has come to one that leads. */
  master: MasterProcess | undefined;
  readonly calls: Channel;
  connection: number | undefined;
}

export interface LinkWiring {
  readonly world: World;
  readonly life: Life;
  readonly repeatChance: number;
  info(): FrameworkInfo;
  onEvent(event: SchedulerEvent): void;
  onEnded(): void;
}

export class SchedulerLink {
  readonly #wiring: LinkWiring;
  #subscription: Subscription | undefined;
  #isClosed = false;
  #address: string | undefined;

  constructor(wiring: LinkWiring) {
    this.#wiring = wiring;
    const { world, life } = wiring;
    world.watchLeader(life, (address) => {
      this.#address = address;
    });
  }

  subscribe(): void {
    if (this.#subscription !== undefined || this.#isClosed) return;
    const { world, life } = this.#wiring;
    const seat = world.seatAt(this.#address);
    const to = seat?.life;
    const calls: Channel = new Channel(world.network, {
      from: life,
      to,
      onBroken: () => this.#ended(subscription),
      onClosed: () => {
        const { master, connection } = subscription;
        if (connection !== undefined) master?.disconnected(connection);
      },
    });
    const subscription: Subscription = { master: undefined, calls, connection: undefined };
    this.#subscription = subscription;
    calls.send(() => {
      const master = seat?.process;
      if (master === undefined || master.life !== to) {
        // It does not lead, or not yet.
        calls.break();
        return;
      }
      subscription.master = master;
      subscription.connection = master.subscribe(
        {
          life,
          onEvent: (event) => {
            if (this.#subscription === subscription) this.#wiring.onEvent(event);
          },
          onEnd: () => this.#ended(subscription),
        },
        {
          type: 'SUBSCRIBE',
          subscribe: { framework_info: this.#wiring.info() },
          ...this.#idPart(),
        },
      );
    });
  }

  call(call: SchedulerCall): void {
    const subscription = this.#subscription;
    if (subscription === undefined) return;
    const { world, life, repeatChance } = this.#wiring;
    const whole = { ...call, ...this.#idPart() };
    const arrive = (): void => {
      const { connection, master } = subscription;
      if (connection === undefined || master === undefined) return;
      const answer = master.call(connection, whole);
      if (answer.status < 400) return;
      world.log(`${life.name}: ${call.type} refused: ${answer.message}`);
    };
    subscription.calls.send(arrive);
    const { random, clock } = world;
    if (REPEATABLE.has(call.type ?? '') && random.chance(repeatChance)) {
      clock.after(random.below(1_000), () => {
        if (life.isAlive && this.#subscription === subscription) subscription.calls.send(arrive);
      });
    }
  }

  /** Subscribes anew, as after an error. */
  restart(): void {
    if (this.#subscription !== undefined) this.#ended(this.#subscription);
  }

  /** What is there ends by itself; no other follows. */
  close(): void {
    this.#isClosed = true;
  }

  #ended(subscription: Subscription): void {
    if (this.#subscription !== subscription) return;
    const { world, life, onEnded } = this.#wiring;
    world.log(`${life.name}: its subscription ended`);
    subscription.calls.finish();
    this.#subscription = undefined;
    onEnded();
    world.clock.after(RESUBSCRIBE_MS, () => {
      if (life.isAlive) this.subscribe();
    });
  }

  #idPart(): { framework_id?: { value: string } } {
    const { id } = this.#wiring.info();
    return id === undefined ? {} : { framework_id: id };
  }
}
