// Volumes of CSI plugins that somebody has made before (`Volume.Source.CSI_VOLUME`, Mesos' isolator volume/csi): staged
// and published for the first container that uses one, taken back after the last, whoever is killed in between.
import { chown, mkdir, rmdir } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Turns } from '#base/turns.ts';
import type { Disk } from '#env/disk.ts';
import type { Env, Timer } from '#env/env.ts';
import type { Secret, Volume, Volume_Source_CSIVolume_VolumeCapability } from '#wire/mesos/v1.ts';
import type { CsiNode, CsiPlugins } from './csi-plugins.ts';
import { KeptMap } from './kept-map.ts';

const AGAIN_MS = 10_000;

/** `…ing`: a call is under way, or its end is not known. */
type Stage =
  | 'ready'
  | 'staging'
  | 'staged'
  | 'publishing'
  | 'published'
  | 'unpublishing'
  | 'unstaging';

interface Kept {
  readonly plugin: string;
  readonly volumeId: string;
  readonly capability: Volume_Source_CSIVolume_VolumeCapability;
  readonly context: Readonly<Record<string, string>>;
  readonly readOnly: boolean;
  /** The folder of its two paths. */
  readonly folder: string;
  stage: Stage;
  /** Of the machine's life in which it was staged: the next one has nothing mounted. */
  readonly bootId: string;
  /** Names of containers. */
  holders: string[];
}

interface Secrets {
  readonly stage: Readonly<Record<string, string>>;
  readonly publish: Readonly<Record<string, string>>;
}

const NO_SECRETS: Secrets = { stage: {}, publish: {} };

export interface CsiVolumesOptions {
  /** Below it is `TYPE/NAME/mounts` of plugins that name no other place. */
  readonly folder: string;
  readonly keptPath: string;
  readonly bootId: string;
}

type Owner = { readonly uid: number; readonly gid: number } | undefined;

export class CsiVolumes {
  readonly #options: CsiVolumesOptions;
  readonly #plugins: Pick<CsiPlugins, 'node' | 'close'>;
  readonly #env: Pick<Env, 'log' | 'timers'>;
  readonly #kept: KeptMap<Kept>;
  readonly #turns = new Map<string, { readonly turns: Turns; waiting: number }>();
  #again: Timer | undefined;
  #isClosed = false;

  constructor(
    options: CsiVolumesOptions,
    plugins: Pick<CsiPlugins, 'node' | 'close'>,
    { disk, env }: { readonly disk: Disk; readonly env: Pick<Env, 'log' | 'timers'> },
  ) {
    this.#options = options;
    this.#plugins = plugins;
    this.#env = env;
    this.#kept = new KeptMap(options.keptPath, disk);
  }

  /** Takes up what an earlier life had published, and takes back what nobody uses any more, soon. */
  async recover(isKnown: (holder: string) => boolean): Promise<void> {
    await this.#kept.recover(() => true);
    for (const volume of this.#kept.all.values()) {
      volume.holders = volume.holders.filter(isKnown);
      if (volume.bootId !== this.#options.bootId) volume.stage = 'ready';
    }
    this.#takeBackUnused();
  }

  /** Where it is published. Rejects with the words for the container's last update. */
  async publish(holder: string, volume: Volume, owner: Owner): Promise<string> {
    const asked = askedOf(volume);
    const key = keyOf(asked);
    return this.#turn(key, async () => {
      const node = await this.#plugins.node(asked.plugin);
      const known = this.#kept.all.get(key);
      if (known?.readOnly === true && !asked.readOnly && known.holders.length > 0) {
        throw new Error(`The CSI volume '${asked.volumeId}' is in use read-only`);
      }
      const isFirst = known === undefined || known.holders.length === 0;
      const kept = isFirst ? this.#begin(key, asked, node, known) : known;
      if (!kept.holders.includes(holder)) kept.holders.push(holder);
      await this.#kept.keep();
      await this.#bringUp(kept, node, secretsOf(volume));
      const target = join(kept.folder, 'target');
      if (isFirst && owner !== undefined && !kept.readOnly) {
        await chown(target, owner.uid, owner.gid);
      }
      return target;
    });
  }

  /** A container has ended. Rejects when something that it held cannot be taken back now; it is tried again. */
  async leave(holder: string): Promise<void> {
    await this.#leaveAll((one) => one === holder);
  }

  /** With all that is below it. */
  async leaveBelow(topId: string): Promise<void> {
    await this.#leaveAll((one) => one === topId || one.startsWith(`${topId}.`));
  }

  close(): void {
    this.#isClosed = true;
    this.#again?.cancel();
    this.#plugins.close();
  }

  async #leaveAll(leaves: (holder: string) => boolean): Promise<void> {
    const held = [...this.#kept.all].filter(([, { holders }]) => holders.some(leaves));
    const works = held.map(([key]) =>
      this.#turn(key, async () => {
        const volume = this.#kept.all.get(key);
        if (volume === undefined) return;
        volume.holders = volume.holders.filter((one) => !leaves(one));
        await this.#kept.keep();
        if (volume.holders.length === 0) await this.#takeBack(key, volume);
      }),
    );
    const failed = (await Promise.allSettled(works)).find((one) => one.status === 'rejected');
    if (failed === undefined) return;
    this.#tryAgain();
    throw failed.reason;
  }

  #turn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const own = this.#turns.get(key) ?? { turns: new Turns(), waiting: 0 };
    this.#turns.set(key, own);
    own.waiting += 1;
    return own.turns.next(work).finally(() => {
      own.waiting -= 1;
      if (own.waiting === 0) this.#turns.delete(key);
    });
  }

  #takeBackUnused(): void {
    for (const [key, volume] of this.#kept.all) {
      if (volume.holders.length > 0) continue;
      const work = async (): Promise<void> => {
        const isUnused = this.#kept.all.get(key) === volume && volume.holders.length === 0;
        if (isUnused) await this.#takeBack(key, volume);
      };
      this.#turn(key, work).catch((error: unknown) => {
        const { plugin, volumeId } = volume;
        this.#env.log.warn('Cannot take back a CSI volume', { plugin, volumeId, error });
        this.#tryAgain();
      });
    }
  }

  #tryAgain(): void {
    if (this.#isClosed) return;
    this.#again?.cancel();
    this.#again = this.#env.timers.after(AGAIN_MS, () => this.#takeBackUnused());
  }

  /** What somebody has left half done goes on from there. */
  #begin(key: string, asked: Asked, { info }: CsiNode, known: Kept | undefined): Kept {
    const { type, name = 'default', target_path_root } = info;
    const root = target_path_root ?? join(this.#options.folder, type, name, 'mounts');
    const kept: Kept = {
      ...asked,
      folder: known?.folder ?? join(root, encodeURIComponent(asked.volumeId)),
      // It is published anew, as it is asked for now.
      stage: known?.stage === 'published' ? 'unpublishing' : (known?.stage ?? 'ready'),
      bootId: this.#options.bootId,
      holders: [],
    };
    this.#kept.all.set(key, kept);
    return kept;
  }

  async #to(volume: Kept, stage: Stage): Promise<void> {
    if (volume.stage === stage) return;
    volume.stage = stage;
    await this.#kept.keep();
  }

  // ---- ready -> staged -> published and back, one call after the other

  async #bringUp(volume: Kept, node: CsiNode, secrets: Secrets): Promise<void> {
    if (volume.stage === 'published') return;
    if (volume.stage === 'unpublishing') await this.#unpublish(volume, node);
    if (volume.stage === 'unstaging') await this.#unstage(volume, node);
    if (volume.stage === 'ready' || volume.stage === 'staging') {
      await this.#stage(volume, node, secrets);
    }
    await this.#publish(volume, node, secrets);
  }

  async #takeBack(key: string, volume: Kept): Promise<void> {
    if (volume.stage !== 'ready') {
      const node = await this.#plugins.node(volume.plugin);
      const { stage } = volume;
      if (stage === 'published' || stage === 'publishing' || stage === 'unpublishing') {
        await this.#unpublish(volume, node);
      }
      await this.#unstage(volume, node);
    }
    this.#kept.all.delete(key);
    await this.#kept.keep();
    // Never what may be mounted there still.
    for (const path of ['target', 'staging', '']) {
      await rmdir(join(volume.folder, path)).catch(() => {});
    }
  }

  async #stage(volume: Kept, node: CsiNode, { stage: secrets }: Secrets): Promise<void> {
    if (node.isStaging) {
      const staging_target_path = join(volume.folder, 'staging');
      await mkdir(staging_target_path, { recursive: true });
      await this.#to(volume, 'staging');
      await node.call('Node/NodeStageVolume', {
        volume_id: volume.volumeId,
        staging_target_path,
        volume_capability: volume.capability,
        volume_context: volume.context,
        secrets,
      });
    }
    await this.#to(volume, 'staged');
  }

  async #publish(volume: Kept, node: CsiNode, { publish: secrets }: Secrets): Promise<void> {
    const target_path = join(volume.folder, 'target');
    const isOurs = node.info.target_path_exists === true;
    await mkdir(isOurs ? target_path : dirname(target_path), { recursive: true });
    await this.#to(volume, 'publishing');
    await node.call('Node/NodePublishVolume', {
      volume_id: volume.volumeId,
      ...(node.isStaging ? { staging_target_path: join(volume.folder, 'staging') } : {}),
      target_path,
      volume_capability: volume.capability,
      readonly: volume.readOnly,
      volume_context: volume.context,
      secrets,
    });
    if (!existsSync(target_path)) throw new Error(`Target path '${target_path}' not created`);
    await this.#to(volume, 'published');
  }

  async #unpublish(volume: Kept, node: CsiNode): Promise<void> {
    const target_path = join(volume.folder, 'target');
    await this.#to(volume, 'unpublishing');
    await node.call('Node/NodeUnpublishVolume', { volume_id: volume.volumeId, target_path });
    if (node.info.target_path_exists !== true && existsSync(target_path)) {
      throw new Error(`Target path '${target_path}' not removed`);
    }
    await this.#to(volume, 'staged');
  }

  async #unstage(volume: Kept, node: CsiNode): Promise<void> {
    if (node.isStaging) {
      const staging_target_path = join(volume.folder, 'staging');
      await this.#to(volume, 'unstaging');
      const request = { volume_id: volume.volumeId, staging_target_path };
      await node.call('Node/NodeUnstageVolume', request);
    }
    await this.#to(volume, 'ready');
  }
}

type Asked = Pick<Kept, 'plugin' | 'volumeId' | 'capability' | 'context' | 'readOnly'>;

function keyOf({ plugin, volumeId }: Pick<Kept, 'plugin' | 'volumeId'>): string {
  return JSON.stringify([plugin, volumeId]);
}

/** Names a CSI volume among those of one container; undefined: it is none. */
export function csiKeyOf({ source }: Volume): string | undefined {
  const id = source?.csi_volume?.static_provisioning?.volume_id;
  if (source?.type !== 'CSI_VOLUME' || id === undefined) return undefined;
  return keyOf({ plugin: source.csi_volume?.plugin_name ?? '', volumeId: id });
}

function askedOf({ source, mode }: Volume): Asked {
  const { plugin_name: plugin = '', static_provisioning } = source?.csi_volume ?? {};
  if (static_provisioning === undefined) {
    throw new Error("'source.csi_volume.static_provisioning' is not set for CSI volume");
  }
  const { volume_id, volume_capability, volume_context = {} } = static_provisioning;
  const readOnly = mode === 'RO';
  if (volume_capability.access_mode.mode.endsWith('READER_ONLY') && !readOnly) {
    throw new Error(`Cannot use the read-only volume '${volume_id}' in read-write mode`);
  }
  const capability = volume_capability;
  return { plugin, volumeId: volume_id, capability, context: volume_context, readOnly };
}

function secretsOf({ source }: Volume): Secrets {
  const provisioning = source?.csi_volume?.static_provisioning;
  if (provisioning === undefined) return NO_SECRETS;
  const { node_stage_secrets, node_publish_secrets } = provisioning;
  return { stage: textsOf(node_stage_secrets), publish: textsOf(node_publish_secrets) };
}

function textsOf(secrets: Readonly<Record<string, Secret>> = {}): Record<string, string> {
  const texts = Object.entries(secrets).map(([name, { value }]) => {
    if (value === undefined) throw new Error('Only secrets given by their value can be resolved');
    return [name, new TextDecoder().decode(value.data)] as const;
  });
  return Object.fromEntries(texts);
}
