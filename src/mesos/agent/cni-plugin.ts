// CNI networks as their configuration files have them, and the plugins that are run for them. Both
// single configurations and lists; Mesos' port mapper is its delegate followed by `portmap`.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { NetworkInfo } from '#wire/mesos/v1.ts';

type Json = { readonly [key: string]: unknown };

export interface CniNetwork {
  readonly name: string;
  /** Each as it is in the file. */
  readonly plugins: readonly Json[];
  readonly version: string;
}

/** One container's place in one network. */
export interface CniAttachment {
  readonly containerId: string;
  /** Empty: the namespace is gone. */
  readonly namespace: string;
  readonly interface: string;
  readonly info: NetworkInfo;
}

/** What a plugin has answered; the shapes of all versions up to 1.0.0. */
export interface CniResult {
  readonly ips?: readonly { readonly address?: string | undefined }[] | undefined;
  readonly ip4?: { readonly ip?: string | undefined } | undefined;
  readonly ip6?: { readonly ip?: string | undefined } | undefined;
  readonly dns?:
    | {
        readonly nameservers?: readonly string[] | undefined;
        readonly domain?: string | undefined;
        readonly search?: readonly string[] | undefined;
        readonly options?: readonly string[] | undefined;
      }
    | undefined;
}

const VERSION_DEFAULT = '0.2.0';
const RESERVED = 'org.apache.mesos';
const PORT_MAPPER = 'mesos-cni-port-mapper';
const OUTPUT_BYTES_MAX = 1024 * 1024;
const PLUGIN_MS_MAX = 60_000;

/** Mesos' port mapper names its chain and wraps the network that it is for. */
function unwrapped(plugin: Json): readonly Json[] {
  if (plugin['type'] !== PORT_MAPPER) return [plugin];
  const { delegate, name, args } = plugin;
  const portmap = { type: 'portmap', capabilities: { portMappings: true }, snat: true };
  return [{ ...(delegate as Json), name, ...(args === undefined ? {} : { args }) }, portmap];
}

/** Throws with why the text is no network. */
export function parseNetwork(text: string): CniNetwork {
  const json = JSON.parse(text) as Json;
  const { name, type, plugins, cniVersion } = json;
  if (typeof name !== 'string' || !/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    throw new Error('it has no name that is one');
  }
  const given = Array.isArray(plugins) ? (plugins as Json[]) : [json];
  if (given.length === 0) throw new Error('it has no plugins');
  if (!Array.isArray(plugins) && typeof type !== 'string') throw new Error('it has no type');
  const list = given.flatMap(unwrapped);
  const first = list[0]?.['cniVersion'];
  const isChain = list.length > 1;
  const version = [cniVersion, first].find((one) => typeof one === 'string') ?? VERSION_DEFAULT;
  // Chains hand on what the plugin before has answered, which older versions do not know.
  const isOld = /^0\.[12]\./.test(String(version));
  return { name, plugins: list, version: isChain && isOld ? '0.3.1' : String(version) };
}

/** Files are read anew for each container: networks may be added while the agent runs. */
export async function findNetwork(
  folder: string,
  name: string,
  onWrong: (path: string, error: unknown) => void,
): Promise<CniNetwork> {
  for (const file of (await readdir(folder)).toSorted()) {
    const path = join(folder, file);
    if ((await stat(path).catch(() => undefined))?.isFile() !== true) continue;
    try {
      const network = parseNetwork(await readFile(path, 'utf8'));
      if (network.name === name) return network;
    } catch (error) {
      onWrong(path, error);
    }
  }
  throw new Error(`Unknown CNI network '${name}'`);
}

function runtimeConfig(plugin: Json, info: NetworkInfo): Json {
  const capabilities = (plugin['capabilities'] ?? {}) as Json;
  const mappings = (info.port_mappings ?? []).map(({ host_port, container_port, protocol }) => ({
    hostPort: host_port,
    containerPort: container_port,
    protocol: (protocol ?? 'tcp').toLowerCase(),
  }));
  const isWanted = capabilities['portMappings'] === true && mappings.length > 0;
  return isWanted ? { runtimeConfig: { portMappings: mappings } } : {};
}

/** What the plugins of a network are given, in their order; kept on disk until they are undone. */
export function pluginConfigs(network: CniNetwork, info: NetworkInfo): readonly Json[] {
  return network.plugins.map((plugin) => {
    const args = (plugin['args'] ?? {}) as Json;
    if (Object.hasOwn(args, RESERVED)) {
      throw new Error(
        `'${RESERVED}' in 'args' should not be set in CNI network configuration file. ` +
          'It is reserved by Mesos',
      );
    }
    const { name, version: cniVersion } = network;
    const own = { ...plugin, ...runtimeConfig(plugin, info), name, cniVersion };
    return { ...own, args: { ...args, [RESERVED]: { network_info: info } } };
  });
}

interface PluginRun {
  readonly folder: string;
  readonly command: 'ADD' | 'DEL';
  readonly config: Json;
  readonly attachment: CniAttachment;
}

/** Its standard output; throws with Mesos' words when it fails. */
function runPlugin({ folder, command, config, attachment }: PluginRun): Promise<string> {
  const type = String(config['type']);
  const program = join(folder, type);
  const { containerId, namespace } = attachment;
  // The operator's folder, and none above it.
  if (type.includes('/') || !existsSync(program)) {
    throw new Error(
      `Unable to find the plugin ${type} required to attach ${containerId} to network ` +
        `'${String(config['name'])}'`,
    );
  }
  return new Promise((done, fail) => {
    const child = spawn(program, [], {
      timeout: PLUGIN_MS_MAX,
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: containerId,
        CNI_NETNS: namespace,
        CNI_IFNAME: attachment.interface,
        CNI_PATH: folder,
        // Some run iptables.
        PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
      },
    });
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8');
      child[name].on('data', (text: string) => {
        if (texts[name].length < OUTPUT_BYTES_MAX) texts[name] += text;
      });
    }
    child.once('error', fail);
    child.once('close', (code, signal) => {
      if (code === 0) return done(texts.stdout);
      const verb = command === 'ADD' ? 'attach' : 'detach';
      const preposition = command === 'ADD' ? 'to' : 'from';
      return fail(
        new Error(
          `The CNI plugin '${program}' failed to ${verb} container ${containerId} ${preposition} ` +
            `CNI network '${String(config['name'])}'${signal === null ? '' : ` (${signal})`}: ` +
            `stdout='${texts.stdout}', stderr='${texts.stderr}'`,
        ),
      );
    });
    child.stdin.on('error', () => {});
    child.stdin.end(JSON.stringify(config));
  });
}

/** The answer of the last plugin, as it wrote it. */
export async function addToNetwork(
  folder: string,
  configs: readonly Json[],
  attachment: CniAttachment,
): Promise<string> {
  let text: string | undefined;
  for (const config of configs) {
    const prevResult = text === undefined ? {} : { prevResult: JSON.parse(text) as unknown };
    const withResult = { ...config, ...prevResult };
    text = await runPlugin({ folder, command: 'ADD', config: withResult, attachment });
  }
  return text ?? '{}';
}

/** Undoes also what was done by half; throws when a plugin fails, after all others have run. */
export async function removeFromNetwork(
  folder: string,
  configs: readonly Json[],
  attachment: CniAttachment,
  result: string | undefined,
): Promise<void> {
  let problem: unknown;
  const prevResult = result === undefined ? {} : { prevResult: JSON.parse(result) as unknown };
  for (const config of configs.toReversed()) {
    const knowsResult = !/^0\.[1-3]\./.test(String(config['cniVersion']));
    const given = knowsResult ? { ...config, ...prevResult } : config;
    try {
      await runPlugin({ folder, command: 'DEL', config: given, attachment });
    } catch (error) {
      problem ??= error;
    }
  }
  if (problem !== undefined) throw problem;
}

/** Addresses without their length of prefix. */
export function addressesOf(result: CniResult): readonly string[] {
  const all = [...(result.ips ?? []).map((one) => one.address), result.ip4?.ip, result.ip6?.ip];
  return all.filter((one) => one !== undefined).map((one) => one.split('/')[0] ?? one);
}
