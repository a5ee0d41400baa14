// Who makes a HTTP request: the authenticators of Mesos 1.11 by realm (one of the groups of endpoints that
// are switched on together), several of them one after another, and what is answered to strangers.
import type { Principal } from './principal.ts';

export interface HttpRefusal {
  readonly status: number;
  readonly message: string;
  readonly headers: Readonly<Record<string, string>>;
}

export type Identity =
  | { readonly principal: Principal | undefined }
  | { readonly refusal: HttpRefusal };

/** An authenticator's word: who it is, or the challenge (WWW-Authenticate) to one it does not know. */
export type Verdict = { readonly principal: Principal } | Challenge;

export interface Challenge {
  readonly challenge: string;
  readonly message: string;
}

export interface HttpAuthenticator {
  /** `Basic`, `Bearer` */
  readonly scheme: string;
  /** `header`: Authorization. */
  authenticate(header: string | undefined): Verdict | Promise<Verdict>;
  /** It never gives a promise. */
  readonly isImmediate?: boolean;
}

export const UNAUTHORIZED = '401 Unauthorized.';

/** Asks each until one knows the caller; otherwise it says what all of them would have said. */
class Combined implements HttpAuthenticator {
  readonly scheme: string;
  readonly isImmediate: boolean;
  readonly #authenticators: readonly HttpAuthenticator[];

  constructor(authenticators: readonly HttpAuthenticator[]) {
    this.#authenticators = authenticators;
    this.scheme = authenticators.map(({ scheme }) => scheme).join(' ');
    this.isImmediate = authenticators.every((one) => one.isImmediate === true);
  }

  authenticate(header: string | undefined): Verdict | Promise<Verdict> {
    return this.#ask(header, 0, []);
  }

  /** Those from `from` on; `refused`: what those before have said. */
  #ask(
    header: string | undefined,
    from: number,
    refused: readonly Challenge[],
  ): Verdict | Promise<Verdict> {
    const one = this.#authenticators[from];
    if (one === undefined) {
      const challenge = refused.map((each) => each.challenge).join(',');
      return { challenge, message: refused.map(({ message }) => message).join('\n\n') };
    }
    const next = (verdict: Verdict): Verdict | Promise<Verdict> => {
      if ('principal' in verdict) return verdict;
      const message = `"${one.scheme}" authenticator returned:\n${verdict.message}`;
      return this.#ask(header, from + 1, [...refused, { ...verdict, message }]);
    };
    const verdict = one.authenticate(header);
    return verdict instanceof Promise ? verdict.then(next) : next(verdict);
  }
}

export class Authentication {
  readonly #byRealm: ReadonlyMap<string, HttpAuthenticator>;

  /** Realms that are not named are open to everybody. */
  constructor(realms: ReadonlyMap<string, readonly HttpAuthenticator[]>) {
    this.#byRealm = new Map(
      [...realms].map(([realm, [first, ...rest]]) => {
        if (first === undefined) throw new Error(`Realm ${realm} has no authenticator`);
        return [realm, rest.length === 0 ? first : new Combined([first, ...rest])];
      }),
    );
  }

  /** Whether `identify` never gives a promise for it. */
  isImmediate(realm: string): boolean {
    const authenticator = this.#byRealm.get(realm);
    return authenticator === undefined || authenticator.isImmediate === true;
  }

  identify(
    realm: string | undefined,
    headers: { readonly authorization?: string | undefined },
  ): Identity | Promise<Identity> {
    const authenticator = realm === undefined ? undefined : this.#byRealm.get(realm);
    if (authenticator === undefined) return NOBODY;
    const verdict = authenticator.authenticate(headers.authorization);
    return verdict instanceof Promise ? verdict.then(identityOf) : identityOf(verdict);
  }
}

const NOBODY: Identity = { principal: undefined };

function identityOf(verdict: Verdict): Identity {
  if ('principal' in verdict) return verdict;
  const { challenge, message } = verdict;
  return { refusal: { status: 401, message, headers: { 'WWW-Authenticate': challenge } } };
}

export const OPEN = new Authentication(new Map());
