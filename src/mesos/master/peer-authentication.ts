// Agents and scheduler drivers (v0) prove who they are before they register: sessions by the process that
// authenticates, names by the process that is authenticated, and messages that wait until it is known.
import type { Env, Timer } from '#env/env.ts';
import { AuthenticatorSession, type FromPeer, type ToPeer } from '#mesos/security/cram-md5.ts';
import type { Credentials } from '#mesos/security/credentials.ts';
import { decode } from '#wire/mesos/codec.ts';

export interface PeerAuthenticationOptions {
  readonly credentials: Credentials;
  /** Those that have not authenticated are refused. */
  readonly wantsFrameworks: boolean;
  readonly wantsAgents: boolean;
  readonly timeoutMs: number;
}

/** Nobody has to authenticate, and nobody can. */
export const NO_PEERS: PeerAuthenticationOptions = {
  credentials: new Map(),
  wantsFrameworks: false,
  wantsAgents: false,
  timeoutMs: 15_000,
};

export interface PeerPorts {
  /** Names by pid; kept here, read by whoever decides. */
  readonly principals: Map<string, string>;
  /** Of the challenge. */
  readonly hostname: string;
  send(to: string, message: ToPeer): void;
  count(name: string): void;
}

interface Session {
  readonly core: AuthenticatorSession;
  /** The process that is authenticated; its owner speaks for it. */
  readonly pid: string;
  readonly timeout: Timer;
  /** What it has sent meanwhile. */
  readonly held: (() => void)[];
}

const SESSIONS_MAX = 10_000;
const HELD_MAX = 16;
const PRINCIPALS_MAX = 200_000;

const agentGreetings: ReadonlySet<string> = new Set([
  'RegisterSlaveMessage',
  'ReregisterSlaveMessage',
]);

export class PeerAuthentication {
  readonly #options: PeerAuthenticationOptions;
  readonly #ports: PeerPorts;
  readonly #env: Env;
  /** By the process that authenticates, and by the one that is authenticated. */
  readonly #sessions = new Map<string, Session>();
  readonly #byPid = new Map<string, string>();

  constructor(options: PeerAuthenticationOptions, ports: PeerPorts, env: Env) {
    this.#options = options;
    this.#ports = ports;
    this.#env = env;
  }

  /** False: it is no message of an authentication. Fault `bad-protobuf`. */
  onMessage(from: string, name: string, body: Uint8Array): boolean {
    switch (name) {
      case 'AuthenticateMessage':
        this.#begin(from, decode(name, body).pid);
        return true;
      case 'AuthenticationStartMessage':
        this.#goOn(from, { name, body: decode(name, body) });
        return true;
      case 'AuthenticationStepMessage':
        this.#goOn(from, { name, body: decode(name, body) });
        return true;
      default:
        return false;
    }
  }

  /** It is still being found out who that is. */
  isPending(pid: string): boolean {
    return this.#byPid.has(pid);
  }

  /** `again` is called when that is known; never, when it will not be. */
  hold(pid: string, again: () => void): void {
    const session = this.#sessions.get(this.#byPid.get(pid) ?? '');
    if (session !== undefined && session.held.length < HELD_MAX) session.held.push(again);
  }

  get waiting(): number {
    let count = 0;
    for (const { held } of this.#sessions.values()) count += held.length;
    return count;
  }

  /** Whether an agent's message is not to be heard. */
  refuses(pid: string, name: string): boolean {
    if (!this.#options.wantsAgents || !agentGreetings.has(name)) return false;
    return !this.#ports.principals.has(pid);
  }

  /** It is gone: who comes back with its address proves itself again. */
  forget(pid: string): void {
    this.#ports.principals.delete(pid);
  }

  close(): void {
    for (const from of this.#sessions.keys()) this.#drop(from);
  }

  #begin(from: string, pid: string): void {
    const { ports, env } = { ports: this.#ports, env: this.#env };
    ports.count('messages_authenticate');
    ports.principals.delete(pid);
    // Its last word counts: what it began before is of no interest to it any more.
    const earlier = this.#byPid.get(pid);
    if (earlier !== undefined) this.#drop(earlier);
    this.#drop(from);
    const oldest = this.#sessions.keys().next().value;
    if (this.#sessions.size >= SESSIONS_MAX && oldest !== undefined) this.#drop(oldest);
    const nonce = env.random.uuid().replaceAll('-', '');
    const core = new AuthenticatorSession(
      this.#options.credentials,
      `<${nonce}.${Math.floor(env.clock.now() / 1_000)}@${ports.hostname}>`,
    );
    const timeout = env.timers.after(this.#options.timeoutMs, () => {
      env.log.warn('Authentication timed out', { pid });
      this.#drop(from);
    });
    this.#sessions.set(from, { core, pid, timeout, held: [] });
    this.#byPid.set(pid, from);
    ports.send(from, core.greeting());
  }

  #goOn(from: string, message: FromPeer): void {
    const session = this.#sessions.get(from);
    const answer = session?.core.onMessage(message);
    if (session === undefined || answer === undefined) {
      this.#env.log.debug('Dropping a message of no authentication', { from, name: message.name });
      return;
    }
    this.#ports.send(from, answer);
    if (session.core.end !== undefined) this.#finish(from, session);
  }

  #finish(from: string, { core, pid, held }: Session): void {
    this.#drop(from);
    const { end } = core;
    if (end?.kind === 'error') {
      this.#env.log.warn('Authentication failed', { pid, why: end.error });
      return;
    }
    if (end?.kind === 'completed') this.#remember(pid, end.principal);
    else this.#env.log.info('Authentication with wrong credentials', { pid });
    for (const again of held) again();
  }

  #remember(pid: string, principal: string): void {
    const { principals } = this.#ports;
    principals.delete(pid);
    const oldest = principals.keys().next().value;
    if (principals.size >= PRINCIPALS_MAX && oldest !== undefined) principals.delete(oldest);
    principals.set(pid, principal);
  }

  #drop(from: string): void {
    const session = this.#sessions.get(from);
    if (session === undefined) return;
    session.timeout.cancel();
    this.#sessions.delete(from);
    this.#byPid.delete(session.pid);
  }
}
