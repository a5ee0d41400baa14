// Resource providers that run in the agent, by files with their ResourceProviderInfo (--resource_provider_config_dir)
// and by the calls that write such files, as in Mesos 1.11. There is one type: local disk (mesos/provider).
import { join } from 'node:path';
import { errorChain } from '#base/fault.ts';
import type { Disk } from '#env/disk.ts';
import type { Env } from '#env/env.ts';
import type { LocalProvider } from '#mesos/provider/shell.ts';
import { Volumes, type VolumeKind } from '#mesos/provider/volumes.ts';
import type { TlsSettings } from '#mesos/security/tls-settings.ts';
import { parseJson, stringify } from '#wire/mesos/codec.ts';
import type { ResourceProviderInfo } from '#wire/mesos/v1.ts';
import { HttpProblem } from './http.ts';
import type { AgentPaths } from './paths.ts';

export const LOCAL_DISK_TYPE = 'strata.rp.local.disk';
const RETRY = { retryMs: 10_000, retryMsMax: 600_000 };
const CONFIG_FILE = { mode: 0o600 };

export interface LocalProviderSettings {
  /** Undefined: there are none, and calls that would make some are refused. */
  readonly configFolder: string | undefined;
  /** Of this agent's resource provider API. */
  readonly url: string;
  readonly tls: TlsSettings | undefined;
  readonly paths: AgentPaths;
}

interface Configured {
  readonly path: string;
  info: ResourceProviderInfo;
  running: LocalProvider | undefined;
}

/** What the attributes of a local disk say. */
interface DiskConfig {
  readonly folder: string;
  readonly megabytes: number;
  readonly profile: string;
  readonly kind: VolumeKind;
}

function diskConfigOf(info: ResourceProviderInfo): DiskConfig {
  const attributes = new Map((info.attributes ?? []).map((one) => [one.name, one]));
  const text = (name: string): string | undefined => attributes.get(name)?.text?.value;
  return {
    folder: text('folder') ?? '',
    megabytes: attributes.get('size')?.scalar?.value ?? 0,
    profile: text('profile') ?? 'default',
    kind: text('volumes') === 'ext4' ? 'ext4' : 'folder',
  };
}

const KNOWN_ATTRIBUTES: ReadonlySet<string> = new Set(['folder', 'size', 'profile', 'volumes']);

/** What is wrong with a provider's configuration; undefined when nothing is. */
export function validateProviderConfig(info: ResourceProviderInfo): string | undefined {
  const { type, name, id, attributes = [] } = info;
  if (type !== LOCAL_DISK_TYPE) return `Unknown local resource provider type '${type}'`;
  if (id !== undefined) return "'ResourceProviderInfo.id' must not be set";
  if (!/^[A-Za-z0-9_]+$/.test(name)) {
    return `Resource provider name '${name}' does not follow Java package naming convention`;
  }
  const unknown = attributes.find((one) => !KNOWN_ATTRIBUTES.has(one.name));
  if (unknown !== undefined) return `Attribute '${unknown.name}' is not known`;
  const { folder, megabytes } = diskConfigOf(info);
  if (!folder.startsWith('/')) return "Attribute 'folder' must be the text of an absolute path";
  if (!(megabytes > 0)) return "Attribute 'size' must be a scalar, in megabytes";
  const kind = attributes.find((one) => one.name === 'volumes')?.text?.value ?? 'folder';
  if (kind !== 'folder' && kind !== 'ext4') return "Attribute 'volumes' must be 'folder' or 'ext4'";
  return undefined;
}

function keyOf({ type, name }: { readonly type: string; readonly name: string }): string {
  return `${type}.${name}`;
}

export class LocalProviders {
  readonly #settings: LocalProviderSettings;
  readonly #ports: { readonly env: Env; readonly disk: Disk };
  readonly #configured = new Map<string, Configured>();
  #agentId: string | undefined;
  #isClosed = false;
  /** One change after the other. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(settings: LocalProviderSettings, ports: { readonly env: Env; readonly disk: Disk }) {
    this.#settings = settings;
    this.#ports = ports;
  }

  /** Reads the files; one that is wrong is logged and passed over. */
  async load(): Promise<void> {
    const { configFolder } = this.#settings;
    if (configFolder === undefined) return;
    for (const name of (await this.#ports.disk.list(configFolder)) ?? []) {
      if (!name.endsWith('.json')) continue;
      const path = join(configFolder, name);
      const bytes = (await this.#ports.disk.read(path)) ?? new Uint8Array();
      try {
        const info = parseJson('ResourceProviderInfo', new TextDecoder().decode(bytes));
        const wrong =
          validateProviderConfig(info) ??
          (this.#configured.has(keyOf(info)) ? 'There is another one of its name' : undefined);
        if (wrong === undefined)
          this.#configured.set(keyOf(info), { path, info, running: undefined });
        else this.#passOver(path, wrong);
      } catch (error) {
        this.#passOver(path, errorChain(error));
      }
    }
  }

  #passOver(path: string, why: string): void {
    this.#ports.env.log.error('A resource provider configuration is passed over', { path, why });
  }

  /** The agent has its id: providers subscribe from now on. */
  begin(agentId: string): void {
    if (this.#agentId !== undefined) return;
    this.#agentId = agentId;
    void this.#inTurn(async () => {
      for (const one of this.#configured.values()) await this.#launch(one);
    }).catch((error: unknown) => {
      this.#ports.env.log.error('Resource providers cannot start', { error: errorChain(error) });
    });
  }

  /** HttpProblem 400, 409, 500. */
  add(info: ResourceProviderInfo): Promise<void> {
    this.#validate(info);
    return this.#inTurn(async () => {
      const folder = this.#folder();
      const known = this.#configured.get(keyOf(info));
      if (known !== undefined) {
        if (isSame(known.info, info)) return;
        throw new HttpProblem(409, `${named(info)} already exists`);
      }
      const path = join(folder, `${keyOf(info)}.${this.#ports.env.random.uuid()}.json`);
      await this.#save(path, info);
      const configured: Configured = { path, info, running: undefined };
      this.#configured.set(keyOf(info), configured);
      await this.#launch(configured);
    });
  }

  /** HttpProblem 400, 409, 500. */
  update(info: ResourceProviderInfo): Promise<void> {
    this.#validate(info);
    return this.#inTurn(async () => {
      this.#folder();
      const known = this.#configured.get(keyOf(info));
      if (known === undefined) throw new HttpProblem(409, `${named(info)} does not exist`);
      if (isSame(known.info, info)) return;
      await this.#save(known.path, info);
      known.info = info;
      await this.#launch(known);
    });
  }

  /** What it has is offered no more; its volumes stay on the disk. HttpProblem 500. */
  remove(type: string, name: string): Promise<void> {
    return this.#inTurn(async () => {
      this.#folder();
      const known = this.#configured.get(keyOf({ type, name }));
      if (known === undefined) return;
      await known.running?.close();
      await this.#ports.disk.remove(known.path);
      this.#configured.delete(keyOf({ type, name }));
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#tail;
    for (const { running } of this.#configured.values()) await running?.close();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => {});
    return done;
  }

  #folder(): string {
    const { configFolder } = this.#settings;
    if (configFolder !== undefined) return configFolder;
    throw new HttpProblem(500, 'Missing required flag --resource_provider_config_dir');
  }

  #validate(info: ResourceProviderInfo): void {
    const wrong = validateProviderConfig(info);
    if (wrong === undefined) return;
    const what = `type '${info.type}' and name '${info.name}'`;
    const message = `Failed to validate resource provider config with ${what}: ${wrong}`;
    throw new HttpProblem(400, message);
  }

  async #save(path: string, info: ResourceProviderInfo): Promise<void> {
    await this.#ports.disk.makeFolder(this.#folder());
    await this.#ports.disk.writeAtomic(path, stringify('ResourceProviderInfo', info), CONFIG_FILE);
  }

  /** Anew, with what is configured now. */
  async #launch(configured: Configured): Promise<void> {
    // With all that speaks HTTP for it: most agents have none.
    const shell = await import('#mesos/provider/shell.ts');
    await configured.running?.close();
    configured.running = undefined;
    if (this.#agentId === undefined || this.#isClosed) return;
    const { url, tls, paths } = this.#settings;
    const { info } = configured;
    const { folder, kind, ...settings } = diskConfigOf(info);
    const running = new shell.LocalProvider(
      {
        url,
        tls,
        contentType: 'application/x-protobuf',
        info,
        stateFile: paths.providerState(this.#agentId, info.type, info.name),
        settings: { ...settings, ...RETRY, reservations: info.default_reservations ?? [] },
      },
      { ...this.#ports, volumes: new Volumes(folder, kind) },
    );
    configured.running = running;
    await running.start();
  }
}

function named({ type, name }: ResourceProviderInfo): string {
  return `Resource provider with type '${type}' and name '${name}'`;
}

function isSame(one: ResourceProviderInfo, other: ResourceProviderInfo): boolean {
  return stringify('ResourceProviderInfo', one) === stringify('ResourceProviderInfo', other);
}
