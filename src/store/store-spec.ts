// What the text of a store option means: `sqlite:PATH`, or
// `etcd:URL[,URL…][?prefix=/…&cafile=…&certfile=…&keyfile=…]`. Loads neither.
import { Fault } from '#base/fault.ts';

export type StoreSpec =
  | { readonly kind: 'sqlite'; readonly path: string }
  | {
      readonly kind: 'etcd';
      readonly endpoints: readonly string[];
      /** Put before every key, so that many instances may share one etcd. */
      readonly prefix: string;
      readonly caFile?: string;
      readonly certFile?: string;
      readonly keyFile?: string;
    };

function bad(text: string, why: string): Fault {
  return new Fault({ code: 'bad-option', store: text }, `Cannot use store "${text}": ${why}`);
}

const files = { cafile: 'caFile', certfile: 'certFile', keyfile: 'keyFile' } as const;

/** Fault `bad-option`. `defaultPrefix` is for etcd when the text names none. */
export function parseStoreSpec(text: string, defaultPrefix: string): StoreSpec {
  const [, kind, rest = ''] = /^(sqlite|etcd):(.+)$/.exec(text) ?? [];
  if (kind === 'sqlite') return { kind, path: rest };
  if (kind !== 'etcd') throw bad(text, 'it is neither sqlite:PATH nor etcd:URL[,URL]');
  const [list = '', query = ''] = rest.split('?');
  const endpoints = list.split(',').map((one) => (one.includes('://') ? one : `http://${one}`));
  for (const one of endpoints) if (!URL.canParse(one)) throw bad(text, `"${one}" is no URL`);
  let prefix = defaultPrefix;
  const found: { caFile?: string; certFile?: string; keyFile?: string } = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if (name === 'prefix') prefix = value.replace(/\/+$/, '');
    else if (name in files) found[files[name as keyof typeof files]] = value;
    else throw bad(text, `there is no option "${name}"`);
  }
  return { kind, endpoints, prefix, ...found };
}
