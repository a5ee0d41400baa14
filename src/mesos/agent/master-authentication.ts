// How an agent proves to a master that it knows the secret of its principal (CRAM-MD5), before it registers:
// one attempt after another, each with its time, as Mesos 1.11 does it.
import type { Env, Timer } from '#env/env.ts';
import { AuthenticateeSession, type FromPeer, type ToPeer } from '#mesos/security/cram-md5.ts';
import type { AuthenticationTimes } from './security-flags.ts';

export interface AuthenticationPorts {
  /** This agent. */
  readonly upid: string;
  send(to: string, name: 'AuthenticateMessage' | FromPeer['name'], body: object): void;
  /** The master does not know this principal, or not by this secret. */
  onRefused(master: string): void;
}

interface Attempt {
  readonly address: string;
  readonly session: AuthenticateeSession;
  readonly done: () => void;
  /** Times out between these. */
  readonly timeoutMs: readonly [number, number];
  timer: Timer;
}

const names: ReadonlySet<string> = new Set<ToPeer['name']>([
  'AuthenticationMechanismsMessage',
  'AuthenticationStepMessage',
  'AuthenticationCompletedMessage',
  'AuthenticationFailedMessage',
  'AuthenticationErrorMessage',
]);

export function isAuthenticationName(name: string): name is ToPeer['name'] {
  return names.has(name);
}

export class MasterAuthentication {
  readonly #credential: { readonly principal: string; readonly secret: string };
  readonly #times: AuthenticationTimes;
  readonly #ports: AuthenticationPorts;
  readonly #env: Env;
  #attempt: Attempt | undefined;

  constructor(
    credential: { readonly principal: string; readonly secret: string },
    times: AuthenticationTimes,
    ports: AuthenticationPorts,
    env: Env,
  ) {
    this.#credential = credential;
    this.#times = times;
    this.#ports = ports;
    this.#env = env;
  }

  /** `done`: the master at the address knows this agent now. What was begun before is given up. */
  start(address: string, done: () => void): void {
    const { backoffMs, timeoutMsMin, timeoutMsMax } = this.#times;
    this.#try(address, done, [timeoutMsMin, Math.min(timeoutMsMin + backoffMs * 2, timeoutMsMax)]);
  }

  stop(): void {
    this.#attempt?.timer.cancel();
    this.#attempt = undefined;
  }

  onMessage(from: string, message: ToPeer): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    const answer = attempt.session.onMessage(message);
    // The master has a process of its own for it, which is answered.
    if (answer !== undefined) this.#ports.send(from, answer.name, answer.body);
    const { end } = attempt.session;
    if (end === undefined) return;
    if (end.kind === 'completed') {
      this.stop();
      attempt.done();
    } else if (end.kind === 'refused') {
      this.stop();
      this.#ports.onRefused(attempt.address);
    } else {
      this.#env.log.warn('Cannot authenticate with the master', { why: end.error });
      // At once would be many times a second with a master that has no authenticator.
      attempt.timer.cancel();
      const delay = this.#times.backoffMs * (1 + this.#env.random.next());
      attempt.timer = this.#env.timers.after(delay, () => this.#again(attempt));
    }
  }

  #try(address: string, done: () => void, timeoutMs: readonly [number, number]): void {
    this.stop();
    const [low, high] = timeoutMs;
    const attempt: Attempt = {
      address,
      session: new AuthenticateeSession(this.#credential),
      done,
      timeoutMs,
      timer: this.#env.timers.after(low + (high - low) * this.#env.random.next(), () => {
        this.#env.log.warn('Authentication with the master timed out', { address });
        this.#again(attempt);
      }),
    };
    this.#attempt = attempt;
    this.#ports.send(`master@${address}`, 'AuthenticateMessage', { pid: this.#ports.upid });
  }

  #again({ address, done, timeoutMs: [low, high] }: Attempt): void {
    const next = Math.min(low + (high - low) * 2, this.#times.timeoutMsMax);
    this.#try(address, done, [low, next]);
  }
}
