// Drivers (v0) that send faster than their principal may: what passes, what is dropped and told, what is
// counted; also those that share the limit of all others, and those that have none.
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import { FakeAgent, type World } from '#test/support/mesos-differential/player.ts';

/** Slow enough that what a script sends at once is at once for a busy machine, too. */
const QPS = 1;
const rate_limits = JSON.stringify({
  limits: [
    { principal: 'slow', qps: QPS, capacity: 2 },
    { principal: 'patient', qps: QPS },
    { principal: 'free' },
  ],
  aggregate_default_qps: QPS,
  aggregate_default_capacity: 1,
});

interface Counts {
  readonly received: number;
  readonly processed: number;
}

async function countsOf(world: World, principal: string): Promise<Counts> {
  const { bytes } = await world.ask({ path: '/metrics/snapshot' });
  const all = JSON.parse(bytes.toString()) as Record<string, number>;
  const of = (what: string): number => all[`frameworks/${principal}/messages_${what}`] ?? -1;
  return { received: of('received'), processed: of('processed') };
}

class Driver {
  readonly #world: World;
  readonly #peer: FakeAgent;
  readonly #principal: string | undefined;
  #id = '';
  sent = 0;

  constructor(world: World, name: string, principal: string | undefined) {
    this.#world = world;
    this.#peer = new FakeAgent(world, name);
    this.#principal = principal;
  }

  async start(): Promise<this> {
    await this.#peer.start();
    this.#peer.call({
      type: 'SUBSCRIBE',
      subscribe: {
        framework_info: {
          user: 'root',
          name: this.#peer.name,
          roles: ['r'],
          capabilities: [{ type: 'MULTI_ROLE' }],
          ...(this.#principal === undefined ? {} : { principal: this.#principal }),
        },
      },
    });
    const { body } = await this.#peer.expect('FrameworkRegisteredMessage');
    this.#id = (body['framework_id'] as { value: string }).value;
    return this;
  }

  send(count: number): void {
    for (let i = 0; i < count; i++) {
      this.#peer.call({ type: 'REVIVE', framework_id: { value: this.#id }, revive: { roles: [] } });
    }
    this.sent += count;
  }

  /** Until so many of its messages have been dealt with. */
  async processed(count: number): Promise<void> {
    const { name } = this.#peer;
    await this.#world.until(`${count} messages of ${name}`, async () => {
      const { received, processed } = await countsOf(this.#world, this.#principal ?? '');
      return received >= this.sent && processed >= count ? true : undefined;
    });
  }

  async keep(step: string): Promise<void> {
    const found = this.#peer.received.filter(({ name }) => name === 'FrameworkErrorMessage');
    const errors = found.map(({ body }) => String(body['message']));
    // How many there are depends on when others have sent, where nobody counts.
    const body =
      this.#principal === undefined
        ? { errors: [...new Set(errors)] }
        : { ...(await countsOf(this.#world, this.#principal)), errors };
    this.#world.keep(`${this.#peer.name}: ${step}`, { body });
  }

  async errors(count: number): Promise<void> {
    await this.#world.until(`${count} errors for ${this.#peer.name}`, () => {
      const errors = this.#peer.received.filter(({ name }) => name === 'FrameworkErrorMessage');
      return errors.length >= count ? true : undefined;
    });
  }
}

async function play(world: World): Promise<void> {
  const slow = await new Driver(world, 'slow', 'slow').start();
  slow.send(1);
  await slow.processed(1);
  slow.send(5);
  await slow.errors(3);
  await slow.processed(3);
  await slow.keep('five more than it may');
  const patient = await new Driver(world, 'patient', 'patient').start();
  patient.send(2);
  await patient.processed(2);
  await patient.keep('without a capacity');
  const free = await new Driver(world, 'free', 'free').start();
  free.send(30);
  await free.processed(30);
  await free.keep('without a limit');
  const other = await new Driver(world, 'other', 'other').start();
  other.send(1);
  await other.processed(1);
  other.send(3);
  await other.errors(2);
  await other.processed(2);
  await other.keep('with the limit of all others');
  const nobody = await new Driver(world, 'nobody', undefined).start();
  // The limit of all others has room for one.
  nobody.send(4);
  await nobody.errors(2);
  await nobody.keep('without a principal');
}

export const rateLimits: Scene = {
  name: 'rate-limits',
  settings: { flags: { rate_limits } },
  play,
};
