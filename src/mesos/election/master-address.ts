// Where the master is, as agents and frameworks are told: `HOST:PORT` of one that stays where it is,
// `zk://[USER:PASSWORD@]HOST:PORT[,HOST:PORT…]/PATH` as Mesos has it, or `etcd:URL[,URL…][?prefix=/…]`.
import { Fault } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import { parseStoreSpec } from '#store/store-spec.ts';
import type { MasterInfo } from '#wire/mesos/v1.ts';
import type { Group } from './group.ts';

/** Keys of a master in etcd lie under it, when nothing else is said. */
export const ETCD_PREFIX = '/strata';
const SESSION_TIMEOUT_MS = 10_000;

export type MasterAddress =
  | { readonly kind: 'fixed'; readonly address: string }
  | {
      readonly kind: 'zk';
      readonly servers: readonly string[];
      readonly path: string;
      readonly credentials?: string | undefined;
    }
  | {
      readonly kind: 'etcd';
      readonly endpoints: readonly string[];
      readonly prefix: string;
      readonly caFile?: string | undefined;
      readonly certFile?: string | undefined;
      readonly keyFile?: string | undefined;
    };

function parseZooKeeper(text: string): MasterAddress {
  const [, login, hosts = '', path = ''] = /^zk:\/\/(?:([^@/]*)@)?([^/]+)(\/.*)$/.exec(text) ?? [];
  const servers = hosts.split(',').map((host) => (host.includes(':') ? host : `${host}:2181`));
  const isPath = path.length > 1 && !path.endsWith('/') && !path.includes('//');
  if (hosts === '' || !isPath || servers.some((one) => !/^[^:]+:\d+$/.test(one))) {
    throw new Fault(
      { code: 'bad-option' },
      `Cannot use "${redacted(text)}": it is not zk://[USER:PASSWORD@]HOST:PORT[,HOST:PORT]/PATH`,
    );
  }
  return { kind: 'zk', servers, path, ...(login === undefined ? {} : { credentials: login }) };
}

/** Fit for logs and process lists. */
export function redacted(text: string): string {
  return text.replace(/\/\/[^@/]*@/, '//…@');
}

/** Fault `bad-option`. */
export function parseMasterAddress(text: string): MasterAddress {
  if (text.startsWith('zk://')) return parseZooKeeper(text);
  if (text.startsWith('etcd:')) {
    const spec = parseStoreSpec(text, ETCD_PREFIX);
    if (spec.kind === 'etcd') return spec;
  }
  const address = text
    .replace(/^https?:\/\//, '')
    .replace(/^master@/, '')
    .replace(/\/+$/, '');
  if (!/^\S+:\d+$/.test(address)) {
    throw new Fault(
      { code: 'bad-option' },
      `Cannot use "${text}": it is neither HOST:PORT, zk://…/PATH nor etcd:URL`,
    );
  }
  return { kind: 'fixed', address };
}

/** The group of masters at an address that is not of one master. */
export async function openGroup(
  address: Exclude<MasterAddress, { kind: 'fixed' }>,
  env: Env,
  sessionTimeoutMs = SESSION_TIMEOUT_MS,
): Promise<Group> {
  // What speaks to etcd is loaded only where there is one.
  if (address.kind === 'etcd') {
    const { EtcdGroup } = await import('./etcd-group.ts');
    return new EtcdGroup(address, env);
  }
  const { ZooKeeperGroup } = await import('./zookeeper-group.ts');
  return new ZooKeeperGroup({ ...address, sessionTimeoutMs }, env);
}

export interface Detector {
  /** `HOST:PORT` of the leader; undefined while nobody leads. */
  readonly address: string | undefined;
  close(): Promise<void>;
}

/** By IP where the leader says one: names are for people. */
export function hostPortOf({ address, hostname, port }: MasterInfo): string {
  return `${address?.ip ?? address?.hostname ?? hostname ?? ''}:${address?.port ?? port}`;
}

/** Watches who leads; `onChange` is told at each change, of a fixed address once. */
export async function detectMaster(
  text: string,
  onChange: (address: string | undefined) => void,
  env: Env,
): Promise<Detector> {
  const where = parseMasterAddress(text);
  if (where.kind === 'fixed') {
    onChange(where.address);
    return { address: where.address, close: () => Promise.resolve() };
  }
  const group = await openGroup(where, env);
  let address: string | undefined;
  group.watch((leader) => {
    address = leader === undefined ? undefined : hostPortOf(leader.info);
    onChange(address);
  });
  return {
    get address() {
      return address;
    },
    close: () => group.close(),
  };
}
