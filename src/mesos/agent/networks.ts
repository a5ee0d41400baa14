// The networks of containers: a network namespace for each that names some, what CNI plugins did in
// it, and the files that tell it of its names. All of it is on disk before it is done, so that
// whoever comes after a crash or a reboot takes it back.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import type { Log } from '#env/env.ts';
import type { ProcessMount, ProcessSpec } from '#env/process.ts';
import type { ContainerInfo, NetworkInfo } from '#wire/mesos/v1.ts';
import {
  addressesOf,
  addToNetwork,
  type CniResult,
  findNetwork,
  pluginConfigs,
  removeFromNetwork,
} from './cni-plugin.ts';
import { type DefaultDns, dnsOf, resolvText } from './container-dns.ts';
import { pathPart } from './paths.ts';

export interface NetworksOptions {
  /** Below it one folder for each container. */
  readonly folder: string;
  readonly configFolder: string | undefined;
  readonly pluginsFolder: string | undefined;
  readonly dns: DefaultDns;
  readonly log: Log;
}

/** A container's own network. */
export interface Joined {
  readonly namespace: string;
  readonly hostname: string;
  /** As they were asked for, with the addresses that were given. */
  readonly infos: readonly NetworkInfo[];
  /** The first address, for those who look for the container. */
  readonly address: string | undefined;
  readonly files: { readonly hosts: string; readonly hostname: string; readonly resolv: string };
}

/** What is kept of one on disk, before any plugin has run. */
interface Kept {
  readonly id: string;
  readonly hostname: string;
  readonly infos: readonly NetworkInfo[];
}

const run = promisify(execFile);
const NAMESPACE_FILES_TYPE = 0x6e73_6673;
const HOST_NAME_MAX = 63;
const RESOLV = '/etc/resolv.conf';

/** Of those that are asked for, the ones that CNI makes. */
function named(container: ContainerInfo | undefined): readonly NetworkInfo[] {
  return (container?.network_infos ?? []).filter((one) => one.name !== undefined);
}

const RECOVERED_AT_ONCE = 8;

export class Networks {
  readonly #options: NetworksOptions;
  readonly #joined = new Map<string, Joined>();
  /** All that have begun to join, by the container above them. */
  readonly #begun = new Map<string, Set<string>>();
  /** By folder. */
  readonly #leaving = new Map<string, Promise<void>>();

  constructor(options: NetworksOptions) {
    this.#options = options;
  }

  #folderOf(id: string): string {
    return join(this.#options.folder, pathPart(id));
  }

  /** The network that a container is in: its own or that of one above it; undefined: the host's. */
  of(id: string): Joined | undefined {
    for (let at = id; ; at = at.slice(0, at.lastIndexOf('.'))) {
      const found = this.#joined.get(at);
      if (found !== undefined || !at.includes('.')) return found;
    }
  }

  /** Throws with the words for its last update; nothing of it is left then. */
  async join(id: string, container: ContainerInfo | undefined): Promise<void> {
    const infos = named(container);
    if (infos.length === 0) return;
    const { configFolder, pluginsFolder } = this.#options;
    if (configFolder === undefined || pluginsFolder === undefined) {
      throw new Error(`Unknown CNI network '${infos[0]?.name}'`);
    }
    const names = infos.map((one) => one.name ?? '');
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    if (twice !== undefined) {
      throw new Error(`Attempted to join CNI network '${twice}' multiple times`);
    }
    const hostname = (container?.hostname ?? id.split('.').at(-1) ?? '').slice(0, HOST_NAME_MAX);
    await this.leave(id);
    const folder = this.#folderOf(id);
    this.#begin(id);
    try {
      await mkdir(join(folder, 'networks'), { recursive: true, mode: 0o755 });
      const kept: Kept = { id, hostname, infos };
      await writeWhole(join(folder, 'kept.json'), JSON.stringify(kept));
      await makeNamespace(join(folder, 'ns'));
      for (const [at, info] of infos.entries()) {
        await this.#attach(kept, info, `eth${at}`, pluginsFolder, configFolder);
      }
      const joined = await this.#read(kept);
      await this.#writeFiles(joined, folder);
      this.#joined.set(id, joined);
    } catch (error) {
      await this.leave(id);
      throw error;
    }
  }

  async #attach(
    { id }: Kept,
    info: NetworkInfo,
    interfaceName: string,
    pluginsFolder: string,
    configFolder: string,
  ): Promise<void> {
    const folder = this.#folderOf(id);
    const network = await findNetwork(configFolder, info.name ?? '', (path, error) => {
      this.#options.log.error('A CNI network configuration cannot be read', { path, error });
    });
    const configs = pluginConfigs(network, info);
    const own = join(folder, 'networks', network.name);
    await mkdir(own, { recursive: true });
    await writeWhole(join(own, 'network.conf'), JSON.stringify({ configs, interfaceName }));
    const attachment = {
      containerId: cniId(id),
      namespace: join(folder, 'ns'),
      interface: interfaceName,
      info,
    };
    await writeWhole(
      join(own, 'network.info'),
      await addToNetwork(pluginsFolder, configs, attachment),
    );
  }

  async #results(id: string, infos: readonly NetworkInfo[]): Promise<readonly CniResult[]> {
    return Promise.all(
      infos.map(async ({ name = '' }) => {
        const path = join(this.#folderOf(id), 'networks', name, 'network.info');
        const text = await readFile(path, 'utf8').catch(() => '{}');
        return JSON.parse(text) as CniResult;
      }),
    );
  }

  async #read({ id, hostname, infos }: Kept): Promise<Joined> {
    const folder = this.#folderOf(id);
    const results = await this.#results(id, infos);
    const told = infos.map((info, at): NetworkInfo => {
      const addresses = addressesOf(results[at] ?? {});
      return {
        ...info,
        ip_addresses: addresses.map((ip_address) => ({
          protocol: ip_address.includes(':') ? 'IPv6' : 'IPv4',
          ip_address,
        })),
      };
    });
    const dns = infos.flatMap(
      ({ name = '' }, at) => dnsOf(results[at]?.dns, name, this.#options.dns) ?? [],
    );
    const resolv = dns.length > 0 ? join(folder, 'resolv.conf') : RESOLV;
    if (dns.length > 0) await writeFile(resolv, resolvText(dns), { mode: 0o644 });
    const [address] = told.flatMap((one) => one.ip_addresses ?? []);
    return {
      namespace: join(folder, 'ns'),
      hostname,
      infos: told,
      address: address?.ip_address,
      files: { hosts: join(folder, 'hosts'), hostname: join(folder, 'hostname'), resolv },
    };
  }

  async #writeFiles({ files, hostname, address }: Joined, folder: string): Promise<void> {
    const own = address === undefined ? [] : [`${address} ${hostname}`];
    const hosts = ['127.0.0.1 localhost', '::1 localhost', ...own];
    await writeFile(files.hosts, `${hosts.join('\n')}\n`, { mode: 0o644 });
    await writeFile(join(folder, 'hostname'), `${hostname}\n`, { mode: 0o644 });
  }

  /**
   * Takes a container out of its networks; what cannot be undone is told in the log. Once, when its end
   * and its being forgotten ask for it at the same time.
   */
  leave(id: string): Promise<void> {
    this.#joined.delete(id);
    const folder = this.#folderOf(id);
    const begun = this.#leaving.get(folder);
    if (begun !== undefined) return begun;
    const left = this.#leave(id, folder).finally(() => {
      this.#leaving.delete(folder);
      this.#finish(id);
    });
    this.#leaving.set(folder, left);
    return left;
  }

  async #leave(id: string, folder: string): Promise<void> {
    if (!existsSync(folder)) return;
    const namespace = join(folder, 'ns');
    const isThere = await isNamespace(namespace);
    const networks = join(folder, 'networks');
    let isUndone = true;
    for (const name of await readdir(networks).catch(() => [])) {
      isUndone &&= await this.#detach(id, join(networks, name), isThere ? namespace : '');
    }
    if (isThere && !isUndone) await removeInterfaces(namespace).catch(() => {});
    if (isThere) await unmount(namespace);
    await rm(folder, { recursive: true, force: true });
  }

  async #detach(id: string, own: string, namespace: string): Promise<boolean> {
    const { pluginsFolder, log } = this.#options;
    const text = await readFile(join(own, 'network.conf'), 'utf8').catch(() => undefined);
    if (text === undefined) return true;
    const { configs, interfaceName } = JSON.parse(text) as {
      configs: Parameters<typeof removeFromNetwork>[1];
      interfaceName: string;
    };
    const result = await readFile(join(own, 'network.info'), 'utf8').catch(() => undefined);
    const info = { name: basename(own) };
    const attachment = { containerId: cniId(id), namespace, interface: interfaceName, info };
    try {
      if (pluginsFolder === undefined) throw new Error('the agent has no folder of CNI plugins');
      await removeFromNetwork(pluginsFolder, configs, attachment, result);
      return true;
    } catch (error) {
      log.warn('A container cannot be taken out of a network', { id, error });
      return false;
    }
  }

  /** Those of top-level containers and what is below them. */
  async leaveBelow(topId: string): Promise<void> {
    for (const id of this.#begun.get(topId) ?? []) await this.leave(id);
  }

  #begin(id: string): void {
    const below = this.#begun.get(topOf(id)) ?? new Set();
    this.#begun.set(topOf(id), below.add(id));
  }

  #finish(id: string): void {
    const below = this.#begun.get(topOf(id));
    below?.delete(id);
    if (below?.size === 0) this.#begun.delete(topOf(id));
  }

  /** Of an earlier life its name alone was made: no plugin has run. */
  async #removeEmpty(name: string): Promise<void> {
    const folder = join(this.#options.folder, name);
    if (await isNamespace(join(folder, 'ns'))) await unmount(join(folder, 'ns'));
    await rm(folder, { recursive: true, force: true });
  }

  async #kept(name: string): Promise<Kept | undefined> {
    const path = join(this.#options.folder, name, 'kept.json');
    const text = await readFile(path, 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as Kept);
  }

  /** Takes up those of containers that live, and takes the others out of their networks. */
  async recover(isKnown: (id: string) => boolean): Promise<void> {
    const names = await readdir(this.#options.folder).catch(() => []);
    const left = names.values();
    const takeUp = async (): Promise<void> => {
      for (const name of left) await this.#recoverOne(name, isKnown);
    };
    // They share the iterator; plugins mostly wait for the kernel and each other's programs.
    await Promise.all(Array.from({ length: RECOVERED_AT_ONCE }, takeUp));
  }

  async #recoverOne(name: string, isKnown: (id: string) => boolean): Promise<void> {
    const kept = await this.#kept(name);
    if (kept === undefined) {
      await this.#removeEmpty(name);
      return;
    }
    const { id } = kept;
    this.#begin(id);
    const lives = isKnown(id) && (await isNamespace(join(this.#folderOf(id), 'ns')));
    if (lives) this.#joined.set(id, await this.#read(kept));
    else await this.leave(id);
  }
}

function topOf(id: string): string {
  return id.split('.')[0] ?? id;
}

/** How a container in a network of its own is started. */
export function networkOf(joined: Joined | undefined): {
  readonly spec: Pick<ProcessSpec, 'hostname'>;
  readonly namespace: string | undefined;
} {
  const { hostname, namespace } = joined ?? {};
  return { spec: hostname === undefined ? {} : { hostname }, namespace };
}

/** What it finds of the names in its network. `root`: its root on the machine, or ''. */
export function networkFiles(joined: Joined | undefined, root: string): readonly ProcessMount[] {
  if (joined === undefined) return [];
  const { files } = joined;
  const targets = [
    [files.hosts, '/etc/hosts'],
    [files.hostname, '/etc/hostname'],
    [files.resolv, RESOLV],
  ] as const;
  return targets
    .filter(([source, target]) => source !== `${root}${target}`)
    .map(([source, target]) => ({
      source,
      target: `${root}${target}`,
      readOnly: true,
      ifThere: true,
    }));
}

/** What plugins take for an id. */
function cniId(id: string): string {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(id)
    ? id
    : createHash('sha256').update(id).digest('hex');
}

async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

async function makeNamespace(path: string): Promise<void> {
  await writeFile(path, '', { mode: 0o600 });
  await run('unshare', [`--net=${path}`, '--', 'ip', 'link', 'set', 'lo', 'up']);
}

/**
 * The namespace may live on in mounts that other containers have taken along: what plugins have left in
 * it, and its other end on the machine, goes at once.
 */
async function removeInterfaces(namespace: string): Promise<void> {
  const inside = [`--net=${namespace}`, '--', 'ip', '-o', 'link'];
  const { stdout } = await run('nsenter', inside);
  for (const [, name = ''] of stdout.matchAll(/^\d+: ([^:@]+)/gm)) {
    if (name !== 'lo')
      await run('nsenter', [...inside.slice(0, -1), 'delete', name]).catch(() => {});
  }
}

/** After a reboot there is but the file. */
async function isNamespace(path: string): Promise<boolean> {
  const about = await statfs(path).catch(() => undefined);
  return about?.type === NAMESPACE_FILES_TYPE;
}

async function unmount(path: string): Promise<void> {
  await run('umount', [path]).catch(() => run('umount', ['-l', path]));
}
