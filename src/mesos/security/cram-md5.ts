// CRAM-MD5 (RFC 2195) as agents and scheduler drivers (v0) speak it with a master: one session of either
// side, by the messages of mesos.internal. Refusals have the words of the SASL library behind Mesos 1.11.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Messages } from '#wire/mesos/v1.ts';
import type { Credentials } from './credentials.ts';

export const MECHANISM = 'CRAM-MD5';
const ANSWER_BYTES_MAX = 1_024;
const DIGEST_CHARS = 32;

/** Messages that a master sends, by protobuf name. */
export type ToPeer = {
  [
    Name in
      | 'AuthenticationMechanismsMessage'
      | 'AuthenticationStepMessage'
      | 'AuthenticationCompletedMessage'
      | 'AuthenticationFailedMessage'
      | 'AuthenticationErrorMessage'
  ]: { readonly name: Name; readonly body: Messages[Name] };
}[
  | 'AuthenticationMechanismsMessage'
  | 'AuthenticationStepMessage'
  | 'AuthenticationCompletedMessage'
  | 'AuthenticationFailedMessage'
  | 'AuthenticationErrorMessage'];

/** Messages that one sends who is to be authenticated. */
export type FromPeer = {
  [Name in 'AuthenticationStartMessage' | 'AuthenticationStepMessage']: {
    readonly name: Name;
    readonly body: Messages[Name];
  };
}['AuthenticationStartMessage' | 'AuthenticationStepMessage'];

function digestOf(secret: string, challenge: Uint8Array): string {
  return createHmac('md5', secret).update(challenge).digest('hex');
}

const badProtocol = 'SASL(-5): bad protocol / cancel: ';

/** How a master's session ended: a name, or undefined for one who does not have the secret. */
export type SessionEnd =
  | { readonly kind: 'completed'; readonly principal: string }
  | { readonly kind: 'failed' }
  | { readonly kind: 'error'; readonly error: string };

/** A master's side; every message of the peer gets one answer until the session has ended. */
export class AuthenticatorSession {
  readonly #credentials: Credentials;
  readonly #challenge: Uint8Array;
  #state: 'starting' | 'stepping' | 'over' = 'starting';
  end: SessionEnd | undefined;

  /** `challenge`: `<RANDOM@HOST>`, never the same twice. */
  constructor(credentials: Credentials, challenge: string) {
    this.#credentials = credentials;
    this.#challenge = Buffer.from(challenge);
  }

  greeting(): ToPeer {
    return { name: 'AuthenticationMechanismsMessage', body: { mechanisms: [MECHANISM] } };
  }

  /** Undefined: the session is over. */
  onMessage({ name, body }: FromPeer): ToPeer | undefined {
    if (this.#state === 'over') return undefined;
    return name === 'AuthenticationStartMessage' ? this.#start(body) : this.#step(body);
  }

  #start({ mechanism, data }: Messages['AuthenticationStartMessage']): ToPeer {
    if (this.#state !== 'starting') {
      return this.#fail("Unexpected authentication 'start' received");
    }
    if (mechanism.toUpperCase() !== MECHANISM) {
      return this.#fail(`SASL(-4): no mechanism available: Couldn't find mech ${mechanism}`);
    }
    if (data !== undefined && data.length > 0) {
      return this.#fail(`${badProtocol}Remote sent first but mech does not allow it.`);
    }
    this.#state = 'stepping';
    return { name: 'AuthenticationStepMessage', body: { data: this.#challenge } };
  }

  #step({ data }: Messages['AuthenticationStepMessage']): ToPeer {
    if (this.#state !== 'stepping') return this.#fail("Unexpected authentication 'step' received");
    if (data.length > ANSWER_BYTES_MAX) {
      return this.#fail(`${badProtocol}CRAM-MD5 input longer than ${ANSWER_BYTES_MAX} bytes`);
    }
    const text = Buffer.from(data).toString('utf8');
    const cut = text.lastIndexOf(' ');
    if (cut < 1) return this.#fail(`${badProtocol}need authentication name`);
    const principal = text.slice(0, cut);
    const secret = this.#credentials.get(principal);
    if (secret === '') return this.#fail('SASL(-1): generic failure: empty secret');
    const given = Buffer.from(text.slice(cut + 1, cut + 1 + DIGEST_CHARS));
    // Strangers cost as much time as friends.
    const wanted = Buffer.from(digestOf(secret ?? principal, this.#challenge));
    const isRight = given.length === wanted.length && timingSafeEqual(given, wanted);
    this.#state = 'over';
    if (secret === undefined || !isRight) {
      this.end = { kind: 'failed' };
      return { name: 'AuthenticationFailedMessage', body: {} };
    }
    this.end = { kind: 'completed', principal };
    return { name: 'AuthenticationCompletedMessage', body: {} };
  }

  #fail(error: string): ToPeer {
    this.#state = 'over';
    this.end = { kind: 'error', error };
    return { name: 'AuthenticationErrorMessage', body: { error } };
  }
}

/** How it ended for one who authenticates; undefined while it goes on. */
export type AuthenticateeEnd =
  | { readonly kind: 'completed' }
  /** The master does not know the name, or not the secret. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'error'; readonly error: string };

/** The other side: that of an agent. */
export class AuthenticateeSession {
  readonly #principal: string;
  readonly #secret: string;
  #state: 'starting' | 'stepping' | 'over' = 'starting';
  end: AuthenticateeEnd | undefined;

  constructor({ principal, secret }: { readonly principal: string; readonly secret: string }) {
    this.#principal = principal;
    this.#secret = secret;
  }

  /** Undefined: nothing is to be said, `end` may tell why. */
  onMessage({ name, body }: ToPeer): FromPeer | undefined {
    if (this.#state === 'over') return undefined;
    switch (name) {
      case 'AuthenticationMechanismsMessage':
        return this.#start(body.mechanisms ?? []);
      case 'AuthenticationStepMessage':
        return this.#step(body.data);
      case 'AuthenticationCompletedMessage':
        if (this.#state === 'stepping') this.#finish({ kind: 'completed' });
        else this.#fail("Unexpected authentication 'completed' received");
        return undefined;
      case 'AuthenticationFailedMessage':
        this.#finish({ kind: 'refused' });
        return undefined;
      case 'AuthenticationErrorMessage':
        this.#fail(`Authentication error: ${body.error ?? ''}`);
        return undefined;
    }
  }

  #start(mechanisms: readonly string[]): FromPeer | undefined {
    if (this.#state !== 'starting') {
      this.#fail("Unexpected authentication 'mechanisms' received");
      return undefined;
    }
    if (!mechanisms.includes(MECHANISM)) {
      this.#fail(`The master offers none but ${mechanisms.join(', ')}`);
      return undefined;
    }
    this.#state = 'stepping';
    return { name: 'AuthenticationStartMessage', body: { mechanism: MECHANISM } };
  }

  #step(challenge: Uint8Array): FromPeer | undefined {
    if (this.#state !== 'stepping') {
      this.#fail("Unexpected authentication 'step' received");
      return undefined;
    }
    const answer = `${this.#principal} ${digestOf(this.#secret, challenge)}`;
    return { name: 'AuthenticationStepMessage', body: { data: Buffer.from(answer) } };
  }

  #fail(error: string): void {
    this.#finish({ kind: 'error', error });
  }

  #finish(end: AuthenticateeEnd): void {
    this.#state = 'over';
    this.end = end;
  }
}
