// The CSI plugins that an operator has named in `--csi_plugin_config_dir`, as Mesos 1.11 has them: unmanaged ones,
// which somebody else runs, and managed ones, which the agent runs as standalone containers when they are needed.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '#base/fault.ts';
import { Turns } from '#base/turns.ts';
import type { Env } from '#env/env.ts';
import { parseJson } from '#wire/mesos/codec.ts';
import type { CSIPluginContainerInfo, CSIPluginInfo } from '#wire/mesos/v1.ts';
import { CsiClient, type CsiMethod, stagesVolumes } from './csi-client.ts';
import { nameOf } from './container-id.ts';
import type { NestedContainers } from './nested.ts';

const CONTAINER_PREFIX = 'mesos-internal-csi-';
const ENDPOINT_MS = 60_000;
const LOOK_MS = 20;

export interface CsiPluginsOptions {
  readonly configFolder: string;
  /** Where the sockets of managed plugins are: a short path, as the kernel wants it. */
  readonly socketFolder: string;
  readonly env: Env;
  readonly agentId: () => string;
  readonly containers: () => Pick<
    NestedContainers,
    'launch' | 'wait' | 'kill' | 'remove' | 'has' | 'paths'
  >;
}

/** A plugin that answers. */
export interface CsiNode {
  readonly info: CSIPluginInfo;
  /** Volumes are staged before they are published. */
  readonly isStaging: boolean;
  call(method: CsiMethod, request: object): Promise<void>;
}

interface Plugin {
  readonly info: CSIPluginInfo;
  readonly client: CsiClient;
  readonly isStaging: boolean;
}

export class CsiPlugins {
  readonly #options: CsiPluginsOptions;
  readonly #turns = new Map<string, Turns>();
  readonly #known = new Map<string, Plugin>();

  constructor(options: CsiPluginsOptions) {
    this.#options = options;
  }

  /** The plugin of that type, which runs from then on. Rejects with why it is not to be had. */
  async node(type: string): Promise<CsiNode> {
    const turns = this.#turns.get(type) ?? new Turns();
    this.#turns.set(type, turns);
    const { info, client, isStaging } = await turns.next(() => this.#plugin(type));
    const call = async (method: CsiMethod, request: object): Promise<void> => {
      await client.call(method, request);
    };
    return { info, isStaging, call };
  }

  close(): void {
    for (const { client } of this.#known.values()) client.close();
    this.#known.clear();
  }

  async #plugin(type: string): Promise<Plugin> {
    const known = this.#known.get(type);
    if (known !== undefined && this.#isThere(known.info)) return known;
    known?.client.close();
    this.#known.delete(type);
    const info = known?.info ?? (await this.#configured(type));
    const client = await CsiClient.open(await this.#endpoint(info));
    try {
      const { ready } = await client.call('Identity/Probe');
      if (ready?.value === false) throw new Error('it is not ready');
      const isStaging = stagesVolumes(await client.call('Node/NodeGetCapabilities'));
      const plugin = { info, client, isStaging };
      this.#known.set(type, plugin);
      return plugin;
    } catch (error) {
      client.close();
      const text = error instanceof Error ? error.message : String(error);
      throw new Error(`Failed to initialize CSI plugin '${type}': ${text}`, { cause: error });
    }
  }

  async #configured(type: string): Promise<CSIPluginInfo> {
    const { configFolder, env } = this.#options;
    for (const name of (await readdir(configFolder)).toSorted()) {
      const path = join(configFolder, name);
      if ((await stat(path)).isDirectory()) continue;
      const info = readPlugin(path, await readFile(path, 'utf8'));
      if (info.type !== type) continue;
      env.log.info('A CSI plugin is configured', { type, path });
      return info;
    }
    throw new Error(
      `Failed to initialize CSI plugin '${type}': No valid CSI plugin configurations found in ` +
        `'${configFolder}'`,
    );
  }

  #isThere(info: CSIPluginInfo): boolean {
    const container = nodeContainer(info);
    return container === undefined || this.#runs(containerId(info, container));
  }

  #runs(id: string): boolean {
    const isRunning = this.#options
      .containers()
      .paths()
      .some(({ path }) => nameOf(path) === id);
    return isRunning && existsSync(this.#socketOf(id));
  }

  async #endpoint(info: CSIPluginInfo): Promise<string> {
    const container = nodeContainer(info);
    if (container !== undefined) return this.#run(info, container);
    const own = info.endpoints?.find(({ csi_service }) => csi_service === 'NODE_SERVICE');
    if (own !== undefined) return own.endpoint;
    throw new Error(`NODE_SERVICE not found for CSI plugin type '${info.type}'`);
  }

  // ---- managed ones

  #socketFolderOf(id: string): string {
    const own = createHash('sha256').update(id).digest('hex').slice(0, 16);
    return join(this.#options.socketFolder, own);
  }

  #socketOf(id: string): string {
    return join(this.#socketFolderOf(id), 'endpoint.sock');
  }

  /** Takes up the one that runs, when it was started as it is configured now. */
  async #run(info: CSIPluginInfo, container: CSIPluginContainerInfo): Promise<string> {
    const id = containerId(info, container);
    const folder = this.#socketFolderOf(id);
    const socket = this.#socketOf(id);
    const asConfigured = JSON.stringify(container);
    const started = await readFile(join(folder, 'config.json'), 'utf8').catch(() => undefined);
    if (started === asConfigured && this.#runs(id)) return socket;
    await this.#end(id);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(join(folder, 'config.json'), asConfigured);
    const variables = [
      ...(container.command?.environment?.variables ?? []),
      { name: 'CSI_ENDPOINT', value: `unix://${socket}` },
      { name: 'MESOS_AGENT_ID', value: this.#options.agentId() },
    ];
    const command = { ...container.command, environment: { variables } };
    const resources = container.resources ?? [];
    const asked = { path: [id], command, container: container.container, resources, limits: {} };
    await this.#options.containers().launch({ ...asked, isSession: false });
    await this.#appears(id, socket);
    return socket;
  }

  async #end(id: string): Promise<void> {
    const containers = this.#options.containers();
    if (!containers.has([id])) return;
    containers.kill([id], 'SIGKILL');
    await containers.wait([id]);
    await containers.remove([id]);
  }

  async #appears(id: string, socket: string): Promise<void> {
    const { env, containers } = this.#options;
    let end: unknown;
    void containers()
      .wait([id])
      ?.then((termination) => {
        end = termination;
      });
    const until = env.clock.now() + ENDPOINT_MS;
    while (!existsSync(socket)) {
      if (end !== undefined) throw new Error(`Its container '${id}' has ended`);
      if (env.clock.now() > until) {
        throw new Error(`Timed out waiting for endpoint 'unix://${socket}'`);
      }
      await new Promise<void>((done) => env.timers.after(LOOK_MS, done));
    }
  }
}

function readPlugin(path: string, text: string): CSIPluginInfo {
  try {
    return parseJson('CSIPluginInfo', text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Parse of '${path}' failed: ${why}`, { cause });
  }
}

/** The first that has the node service; undefined: it is not managed. */
function nodeContainer(info: CSIPluginInfo): CSIPluginContainerInfo | undefined {
  return info.containers?.find(({ services }) => services?.includes('NODE_SERVICE'));
}

/** As Mesos names it. */
function containerId(
  { type, name = 'default' }: CSIPluginInfo,
  of: CSIPluginContainerInfo,
): string {
  const services = (of.services ?? []).join('-');
  return `${CONTAINER_PREFIX}${type.replaceAll('.', '-')}-${name}--${services}`;
}

/** `volume/csi` needs its folder and filesystem/linux, as root; the folder needs the isolator. */
export function checkCsiFlags(flags: {
  readonly isolators: ReadonlySet<string>;
  readonly csiConfigFolder: string | undefined;
}): void {
  const { isolators, csiConfigFolder } = flags;
  const isNamed = isolators.has('volume/csi');
  const refuse = (name: string, why: string): never => {
    throw new Fault({ code: 'bad-flag', name }, `Cannot start: flag "${name}": ${why}`);
  };
  if (csiConfigFolder === undefined) {
    if (isNamed) refuse('isolation', "Missing required '--csi_plugin_config_dir' flag");
    return;
  }
  if (!isNamed) refuse('csi_plugin_config_dir', "Missing required isolator 'volume/csi'");
  if (!existsSync(csiConfigFolder)) {
    const why = `The CSI plugin configuration directory '${csiConfigFolder}' does not exist`;
    refuse('csi_plugin_config_dir', why);
  }
  if (!isolators.has('filesystem/linux')) {
    refuse('isolation', "'filesystem/linux' isolator must be used");
  }
  if (process.getuid?.() !== 0) refuse('isolation', "'volume/csi' requires root permissions");
}
