// Who makes a request, as far as authentication has found out: by name, or, with a token, by claims
// (authentication::Principal of Mesos 1.11).

export interface Principal {
  /** A name, as in --credentials. Tokens give none. */
  readonly value?: string | undefined;
  /** What a token says, every value as text. */
  readonly claims?: Readonly<Record<string, string>> | undefined;
}
