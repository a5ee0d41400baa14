// Takes up what is written into the configurations of access while the server runs, as kube-apiserver v1.37
// does. What cannot be used is logged and counted, and all stays as it was.
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { Fault } from '#base/fault.ts';
import type { Env, Timer } from '#env/env.ts';
import { WatchedFiles } from '#env/watched-files.ts';
import { authenticationOf, type AccessSetup, type Authentication } from './access-flags.ts';
import type { JwtTokens } from './authn/jwt-tokens.ts';
import type { AuthorizerSpec } from './authz/authorization-configuration.ts';
import { AuthorizationReload } from './authz/authorization-reload.ts';
import { textFlag, type AccessFlags } from './flag-values.ts';
import type { ReloadCounts } from './metrics/reload-counts.ts';

/** Issuers that cannot be asked are asked again; for less long than upstream, which waits a minute. */
const FOUND_MS_MAX = 20_000;
const FOUND_EVERY_MS = 10_000;
/** After that a file is tried again that may be usable later. */
const AGAIN_MS = 60_000;

export interface AccessUser {
  readonly reloads: Readonly<Record<'authentication' | 'authorization', ReloadCounts>>;
  useAuthentication(authentication: Authentication): void;
  useAuthorizers(specs: readonly AuthorizerSpec[]): void;
}

interface News {
  /** Throws where it cannot be used yet. */
  readonly ready?: () => Promise<void>;
  readonly use: () => void;
}

interface Watched {
  readonly what: 'authentication' | 'authorization';
  readonly path: string;
  /** Undefined where nothing has changed. Throws Fault for what will never be usable. */
  readonly read: () => News | undefined;
}

/** One file. With the same text as before it is no news, also where that could not be used. */
class WatchedConfig {
  readonly #watched: Watched;
  readonly #counts: ReloadCounts;
  readonly #env: Env;
  readonly #files: WatchedFiles;
  #last: string;
  #turn = Promise.resolve();
  #again: Timer | undefined;
  #wait: Timer | undefined;
  #isClosed = false;

  constructor(watched: Watched, counts: ReloadCounts, env: Env) {
    this.#watched = watched;
    this.#counts = counts;
    this.#env = env;
    this.#last = readFileSync(watched.path, 'utf8');
    counts.holds(this.#last);
    this.#files = new WatchedFiles({ files: [watched.path] }, () => this.#check(), env);
  }

  close(): void {
    this.#isClosed = true;
    this.#files.close();
    this.#again?.cancel();
    this.#wait?.cancel();
  }

  /** One after the other: issuers may have to be waited for. */
  #check(): void {
    this.#again?.cancel();
    this.#turn = this.#turn.then(async () => {
      if (!this.#isClosed) await this.#reload();
    });
  }

  async #reload(): Promise<void> {
    const { what, path, read } = this.#watched;
    const { log, timers } = this.#env;
    let data: string | undefined;
    try {
      data = readFileSync(path, 'utf8');
      if (data === this.#last) return;
      log.info(`found new ${what} config data`, { path });
      const news = read();
      await this.#untilReady(news);
      this.#last = data;
      if (news === undefined || this.#isClosed) return;
      news.use();
      this.#counts.reloaded(data);
      log.info(`reloaded ${what} config`, { path });
    } catch (error) {
      if (this.#isClosed) return;
      const isForLater = data === undefined || error instanceof NotYet;
      if (isForLater) this.#again = timers.after(AGAIN_MS, () => this.#check());
      else this.#last = data ?? '';
      this.#counts.reloaded(undefined);
      log.error(`reloading ${what} config`, { path, error });
    }
  }

  async #untilReady(news: News | undefined): Promise<void> {
    const { clock, timers } = this.#env;
    const untilMs = clock.monotonicMs() + FOUND_MS_MAX;
    for (;;) {
      try {
        await news?.ready?.();
        return;
      } catch (error) {
        const isOver = clock.monotonicMs() + FOUND_EVERY_MS >= untilMs || this.#isClosed;
        if (isOver) throw new NotYet((error as Error).message, { cause: error });
      }
      await new Promise<void>((done) => {
        this.#wait = timers.after(FOUND_EVERY_MS, done);
      });
    }
  }
}

class NotYet extends Error {
  override readonly name = 'NotYet';
}

function watchedIssuers(path: string, given: Given, server: AccessUser, env: Env): Watched {
  const { flags, started } = given;
  const said = started.authentication.saidAnonymous;
  let issuers: readonly JwtTokens[] = started.authentication.issuers ?? [];
  const read = (): News => {
    const next = authenticationOf(flags, env, started.issuers);
    if (!isDeepStrictEqual(next.saidAnonymous, said)) {
      throw new Fault(
        { code: 'bad-configuration', path },
        `Cannot use ${path}: anonymous: Forbidden: changed from initial configuration file`,
      );
    }
    const own = next.issuers ?? [];
    return {
      ready: async () => {
        await Promise.all(own.map((one) => one.found()));
      },
      use: () => {
        server.useAuthentication(next);
        for (const one of issuers) one.end();
        const left = new Set(own.map(({ url }) => url));
        for (const { url } of issuers) if (!left.has(url)) started.issuers?.forget(url);
        issuers = own;
      },
    };
  };
  return { what: 'authentication', path, read };
}

function watchedAuthorizers(path: string, { started }: Given, server: AccessUser): Watched {
  const reload = new AuthorizationReload(path, started.authorizers);
  const read = (): News | undefined => {
    const specs = reload.read();
    return specs === undefined ? undefined : { use: () => server.useAuthorizers(specs) };
  };
  return { what: 'authorization', path, read };
}

interface Given {
  readonly flags: AccessFlags;
  /** What the server has been started with. */
  readonly started: AccessSetup;
}

/** Returns what ends it. */
export function watchAccess(given: Given, server: AccessUser, env: Env): () => void {
  const who = textFlag(given.flags, 'authentication-config');
  const may = textFlag(given.flags, 'authorization-config');
  const watched = [
    ...(who === undefined ? [] : [watchedIssuers(who, given, server, env)]),
    ...(may === undefined ? [] : [watchedAuthorizers(may, given, server)]),
  ];
  const all = watched.map((one) => new WatchedConfig(one, server.reloads[one.what], env));
  return () => {
    for (const one of all) one.close();
  };
}
