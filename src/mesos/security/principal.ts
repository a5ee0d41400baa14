// Who makes a request, as far as authentication has found out: by name, or, with a token, by claims
// (authentication::Principal of Mesos 1.11).

export interface Principal {
  /** A name, as in --credentials. Tokens give none. */
  readonly value?: string | undefined;
  /** What a token says, every value as text. */
  readonly claims?: Readonly<Record<string, string>> | undefined;
}

/** As Mesos prints it: the name alone, or both parts as JSON. */
export function principalText({ value, claims = {} }: Principal): string {
  const names = Object.keys(claims).toSorted();
  if (value !== undefined && names.length === 0) return value;
  const sorted = Object.fromEntries(names.map((name) => [name, claims[name]]));
  return JSON.stringify({
    ...(value === undefined ? {} : { value }),
    ...(names.length === 0 ? {} : { claims: sorted }),
  });
}
