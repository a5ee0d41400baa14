// HTTP basic authentication as Mesos 1.11 does it: names and secrets without colons, split at spaces.
import { createHash, timingSafeEqual } from 'node:crypto';
import { UNAUTHORIZED, type HttpAuthenticator, type Verdict } from './authentication.ts';
import type { Credentials } from './credentials.ts';

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

export class BasicAuthenticator implements HttpAuthenticator {
  readonly scheme = 'Basic';
  readonly isImmediate = true;
  readonly #credentials: Credentials;
  readonly #refusal: Verdict;

  constructor(realm: string, credentials: Credentials) {
    this.#credentials = credentials;
    this.#refusal = { challenge: `Basic realm="${realm}"`, message: UNAUTHORIZED };
  }

  authenticate(header: string | undefined): Verdict {
    const words = (header ?? '').split(' ');
    const [scheme, coded = ''] = words;
    // Anything else than base64, as Mesos reads it, leads to no name.
    if (words.length !== 2 || scheme !== 'Basic' || !/^[\w+/\s]*(=.*)?$/s.test(coded)) {
      return this.#refusal;
    }
    const parts = Buffer.from(coded, 'base64').toString('utf8').split(':');
    const [name = '', given = ''] = parts;
    const secret = this.#credentials.get(name);
    if (parts.length !== 2 || secret === undefined) return this.#refusal;
    // Digests, so that the time of the comparison tells nothing.
    if (!timingSafeEqual(digest(secret), digest(given))) return this.#refusal;
    return { principal: { value: name } };
  }
}

/** The header of a client. */
export function basicHeader({ principal, secret }: { principal: string; secret: string }): string {
  return `Basic ${Buffer.from(`${principal}:${secret}`).toString('base64')}`;
}
