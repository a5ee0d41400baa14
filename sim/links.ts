// The simulated side of `mesos/libprocess/endpoint.ts`: one connection to each peer that is written to,
// kept until it breaks; its end is told for peers that are watched, and for those only.
import { Channel, type Life, type Network } from './network.ts';

interface Link {
  readonly channel: Channel;
  isWatched: boolean;
}

export interface LinksWiring {
  readonly network: Network;
  readonly life: Life;
  /** Who listens at an address at this moment. */
  lifeAt(address: string): Life | undefined;
  onExited(address: string): void;
}

export class Links {
  readonly #wiring: LinksWiring;
  readonly #links = new Map<string, Link>();

  constructor(wiring: LinksWiring) {
    this.#wiring = wiring;
  }

  /** `deliver` is told who got it (whoever listened when the connection was made) and on which one. */
  send(address: string, deliver: (to: Life, connection: number) => void): void {
    const { channel } = this.#linkTo(address);
    const { to } = channel.ends;
    if (to !== undefined) channel.send(() => deliver(to, channel.number));
  }

  link(address: string): void {
    this.#linkTo(address).isWatched = true;
  }

  unlink(address: string): void {
    const known = this.#links.get(address);
    if (known !== undefined) known.isWatched = false;
  }

  /** A connection of its own, whatever is known of the one before. */
  relink(address: string): void {
    const known = this.#links.get(address);
    if (known !== undefined) {
      known.isWatched = false;
      this.#links.delete(address);
      known.channel.finish();
    }
    this.link(address);
  }

  #linkTo(address: string): Link {
    const known = this.#links.get(address);
    if (known !== undefined) return known;
    const { network, life, lifeAt, onExited } = this.#wiring;
    const channel = new Channel(network, {
      from: life,
      to: lifeAt(address),
      onBroken: () => {
        if (this.#links.get(address) === link) this.#links.delete(address);
        if (link.isWatched) onExited(address);
      },
    });
    const link: Link = { channel, isWatched: false };
    this.#links.set(address, link);
    return link;
  }
}
