// Tokens whose owners are known from the start: of a file, `token,user,uid,"group1,group2"` a line
// (--token-auth-file of kube-apiserver), and the administrator's.
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Fault } from '#base/fault.ts';
import { authenticated, type UserInfo } from '#kube/apiserver/user.ts';
import type { TokenOwner, TokenSource } from './token-source.ts';

/** One record of comma-separated values; quotes are doubled inside of quotes. */
export function csvFields(line: string): string[] {
  const fields: string[] = [];
  const pattern = /\s*(?:"((?:[^"]|"")*)"|([^,]*))(,|$)/gy;
  for (;;) {
    const found = pattern.exec(line);
    if (found === null) return fields;
    fields.push(found[1] === undefined ? (found[2] ?? '').trim() : found[1].replaceAll('""', '"'));
    if (found[3] === '') return fields;
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

export interface StaticToken {
  readonly token: string;
  readonly user: UserInfo;
}

export class StaticTokens implements TokenSource {
  readonly #users: readonly { readonly digest: Buffer; readonly user: UserInfo }[];

  constructor(tokens: readonly StaticToken[]) {
    this.#users = tokens.map(({ token, user }) => ({ digest: digest(token), user }));
  }

  /** Throws Fault for a file that cannot be read or has a line that is none. */
  static read(path: string): StaticTokens {
    const lines = readFileSync(path, 'utf8').split(/\r?\n/);
    const tokens = lines.flatMap((line, i) => {
      if (line.trim() === '' || line.startsWith('#')) return [];
      const [token = '', name = '', uid, groups = ''] = csvFields(line);
      if (uid === undefined || token === '' || name === '') {
        throw new Fault(
          { code: 'bad-file', path, line: i + 1 },
          `Cannot read tokens: line ${i + 1} of ${path} is not token,user,uid[,groups]`,
        );
      }
      const list = groups.split(',').map((one) => one.trim());
      return [{ token, user: authenticated(name, list.filter(Boolean), uid) }];
    });
    return new StaticTokens(tokens);
  }

  authenticate(token: string): TokenOwner | undefined {
    const wanted = digest(token);
    const found = this.#users.find((one) => timingSafeEqual(one.digest, wanted));
    return found === undefined ? undefined : { user: found.user };
  }
}
