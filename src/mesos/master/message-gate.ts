// What a libprocess message passes before the master decides on it: the counters and rate limits of the
// framework that it comes from, and the authentication of agents and drivers.
import { decode, encode } from '#wire/mesos/codec.ts';
import type { RateLimits as RateLimitsConfig } from '#wire/mesos/v1.ts';
import type { DriverLinks } from './drivers.ts';
import {
  NO_PEERS,
  PeerAuthentication,
  type PeerAuthenticationOptions,
} from './peer-authentication.ts';
import { RateLimits } from './rate-limits.ts';
import type { MasterShell } from './shell.ts';

const INTERNAL = 'mesos.internal.';

export interface GateOptions {
  readonly peers: PeerAuthenticationOptions;
  readonly rateLimits: RateLimitsConfig | undefined;
}

export const OPEN_GATE: GateOptions = { peers: NO_PEERS, rateLimits: undefined };

export class MessageGate {
  readonly #shell: MasterShell;
  readonly #drivers: DriverLinks;
  readonly #peers: PeerAuthentication;
  readonly #limits: RateLimits | undefined;

  constructor(shell: MasterShell, drivers: DriverLinks, { peers, rateLimits }: GateOptions) {
    const { env, core, libprocess, options } = shell;
    this.#shell = shell;
    this.#drivers = drivers;
    const ports = {
      principals: core.state.principals,
      hostname: options.hostname,
      send: (to: string, { name, body }: { name: string; body: object }) => {
        libprocess.send(to, INTERNAL + name, encode(name as never, body as never));
      },
      count: (name: string) => core.state.count(name),
    };
    this.#peers = new PeerAuthentication(peers, ports, env);
    this.#limits =
      rateLimits === undefined ? undefined : new RateLimits(rateLimits, env.clock, env.timers);
  }

  /** `deliver` is called now, later or never. Fault `bad-protobuf`. */
  message(from: string, fullName: string, body: Uint8Array, deliver: () => void): void {
    const framework = this.#drivers.frameworkOf(from);
    if (framework === undefined) {
      this.#authenticated(from, fullName, body, deliver);
      return;
    }
    const { principal } = framework.info;
    const { state } = this.#shell.core;
    if (principal !== undefined) state.messagesOf(principal).received += 1;
    const run = (): void => {
      this.#authenticated(from, fullName, body, deliver);
      // What it sent may have been its end, and that of its counters.
      const counts = principal === undefined ? undefined : state.principalMessages.get(principal);
      if (counts !== undefined) counts.processed += 1;
    };
    const passage = this.#limits?.message(principal, run) ?? { kind: 'now' };
    if (passage.kind === 'now') run();
    else if (passage.kind === 'dropped') this.#tooMuch(from, fullName, passage.capacity);
  }

  /** The process at a pid is gone. */
  exited(pid: string, deliver: () => void): void {
    const run = (): void => {
      this.#peers.forget(pid);
      deliver();
    };
    const framework = this.#drivers.frameworkOf(pid);
    const isLater =
      framework !== undefined && this.#limits?.holdsEnd(framework.info.principal, run) === true;
    if (!isLater) run();
  }

  /** Messages that wait: for their turn, or until their sender is known. */
  get waiting(): number {
    return this.#peers.waiting + (this.#limits?.waiting ?? 0);
  }

  close(): void {
    this.#peers.close();
    this.#limits?.close();
  }

  #authenticated(from: string, fullName: string, body: Uint8Array, deliver: () => void): void {
    const name = fullName.replace(INTERNAL, '');
    if (this.#peers.onMessage(from, name, body)) return;
    const go = (): void => {
      if (!this.#peers.refuses(from, name)) {
        deliver();
        return;
      }
      const counted = name === 'RegisterSlaveMessage' ? 'register_slave' : 'reregister_slave';
      this.#shell.core.state.count(`messages_${counted}`);
      this.#shell.env.log.warn('Refusing an agent that is not authenticated', { from });
    };
    if (this.#peers.isPending(from) && isGreeting(name, body)) this.#peers.hold(from, go);
    else go();
  }

  #tooMuch(from: string, fullName: string, capacity: number): void {
    this.#shell.env.log.warn('Dropping a message of a framework that sends too fast', {
      from,
      name: fullName,
      capacity,
    });
    const message = `Message ${fullName} dropped: capacity(${capacity}) exceeded`;
    const body = encode('FrameworkErrorMessage', { message });
    this.#shell.libprocess.send(from, `${INTERNAL}FrameworkErrorMessage`, body);
  }
}

const greetings: ReadonlySet<string> = new Set([
  'RegisterSlaveMessage',
  'ReregisterSlaveMessage',
  'RegisterFrameworkMessage',
  'ReregisterFrameworkMessage',
]);

/** Whether it waits until its sender is known; what others send does not depend on that. */
function isGreeting(name: string, body: Uint8Array): boolean {
  if (greetings.has(name)) return true;
  return name === 'mesos.scheduler.Call' && decode('DriverCall', body).type === 'SUBSCRIBE';
}
