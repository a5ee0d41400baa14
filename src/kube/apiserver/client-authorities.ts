// Whose certificates this server takes from its clients: those of the instance's own authorities, and of the files
// that --client-ca-file and --requestheader-client-ca-file name, read again when somebody changes them.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Fault } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import { WatchedFiles } from '#env/watched-files.ts';
import { textFlag, type AccessFlags } from './flag-values.ts';
import type { RequestHeaderTrust } from './authentication.ts';

const certificate = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Each certificate of a bundle. */
export function certificatesOf(pem: string): X509Certificate[] {
  return [...pem.matchAll(certificate)].map(([one]) => new X509Certificate(one));
}

/** Throws Fault for a file that cannot be read, or holds no certificate. */
function bundleOf(flags: AccessFlags, flag: string): string {
  const path = textFlag(flags, flag);
  if (path === undefined) return '';
  try {
    const pem = readFileSync(path, 'utf8');
    if (certificatesOf(pem).length === 0) throw new Error('it holds no certificate');
    return pem;
  } catch (error) {
    const why = `Cannot use --${flag}: ${(error as Error).message}`;
    throw new Fault({ code: 'bad-option', flag, path }, why, { cause: error });
  }
}

const fileFlags = ['client-ca-file', 'requestheader-client-ca-file'] as const;

const joined = (...all: readonly string[]): string =>
  all.map((pem) => (pem === '' || pem.endsWith('\n') ? pem : `${pem}\n`)).join('');

export class ClientAuthorities {
  readonly #own: { readonly clients: string; readonly proxy: RequestHeaderTrust };
  readonly #flags: AccessFlags;
  readonly #names: readonly string[];
  #given: { readonly clients: string; readonly proxies: string };
  #files: WatchedFiles | undefined;

  /** `clients`: PEM of the instance's own authority; `proxy`: who may speak for users in any case. */
  constructor(own: { clients: string; proxy: RequestHeaderTrust }, flags: AccessFlags) {
    this.#own = own;
    this.#flags = flags;
    const names = textFlag(flags, 'requestheader-allowed-names') ?? '';
    this.#names = names.split(',').filter((name) => name !== '');
    this.#given = this.#read();
  }

  #read(): { clients: string; proxies: string } {
    const [clients, proxies] = fileFlags.map((flag) => bundleOf(this.#flags, flag));
    return { clients: clients ?? '', proxies: proxies ?? '' };
  }

  /** PEM of who signs clients. */
  get clients(): string {
    return joined(this.#own.clients, this.#given.clients);
  }

  get requestHeader(): RequestHeaderTrust {
    const { caCert, allowedNames } = this.#own.proxy;
    if (this.#given.proxies === '') return this.#own.proxy;
    // No name is any name.
    const all = this.#names.length === 0 ? [] : [...allowedNames, ...this.#names];
    return { caCert: joined(caCert, this.#given.proxies), allowedNames: all };
  }

  /** All of them, as TLS wants them. */
  get all(): string[] {
    return [this.clients, this.requestHeader.caCert];
  }

  /** `onChange` is called when they are other ones. */
  watch(onChange: () => Promise<void>, env: Env): void {
    const files = fileFlags.flatMap((flag) => textFlag(this.#flags, flag) ?? []);
    if (files.length === 0) return;
    const reload = async (): Promise<void> => {
      this.#given = this.#read();
      await onChange();
    };
    this.#files = new WatchedFiles({ files }, reload, env);
  }

  close(): void {
    this.#files?.close();
  }
}
