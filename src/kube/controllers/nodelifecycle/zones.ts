// Decides from which nodes of kubelets pods may be evicted, and when the next one has its turn: the more of a
// zone are not ready, the likelier it is that nobody hears them. No I/O; one for each controller.
import { conditionsOf, findCondition } from '#kube/meta/conditions.ts';
import type { KubeObject } from '#kube/meta/object.ts';

/** Between two nodes of a zone (`--node-eviction-rate` of v1.37). */
const TURN_MS = 10_000;
/** In a large zone of which most are not ready (`--secondary-node-eviction-rate`). */
const SLOW_TURN_MS = 100_000;
const LARGE_MIN = 51;
/** At least three, and this part of a zone (`--unhealthy-zone-threshold`). */
const SILENT_MIN = 3;
const SILENT_PART_MIN = 0.55;
/** Nodes with it are not counted. */
const EXCLUDED = 'node.kubernetes.io/exclude-disruption';

interface Zone {
  readyCount: number;
  silentCount: number;
  /** When a node had its turn. */
  turnAt: number;
}

interface Counted {
  readonly zone: Zone;
  readonly isReady: boolean;
}

function keyOfZone({ metadata: { labels = {} } }: KubeObject): string {
  const part = (name: string): string => labels[`topology.kubernetes.io/${name}`] ?? '';
  return `${part('region')} ${part('zone')}`;
}

function pauseMs({ readyCount, silentCount }: Zone): number {
  const size = readyCount + silentCount;
  const isPartly = readyCount > 0 && silentCount >= SILENT_MIN;
  if (!isPartly || silentCount / size < SILENT_PART_MIN) return TURN_MS;
  return size >= LARGE_MIN ? SLOW_TURN_MS : Infinity;
}

export class Zones {
  readonly #zones = new Map<string, Zone>();
  readonly #nodes = new Map<string, Counted>();
  #readyCount = 0;

  /** No node is ready: more likely nobody hears them than all are gone, and none of their pods has to go. */
  get isCutOff(): boolean {
    return this.#nodes.size > 0 && this.#readyCount === 0;
  }

  /** `node`: undefined when it is gone. Returns whether nodes may have their turn at another time now. */
  count(name: string, node: KubeObject | undefined): boolean {
    const zone = node === undefined ? undefined : this.#zoneOf(node);
    const old = this.#nodes.get(name);
    const touched = [...new Set([old?.zone, zone])].filter((one) => one !== undefined);
    const wasCutOff = this.isCutOff;
    const before = touched.map(pauseMs);
    if (old !== undefined) this.#add(old, -1);
    this.#nodes.delete(name);
    if (
      node !== undefined &&
      zone !== undefined &&
      node.metadata.labels?.[EXCLUDED] === undefined
    ) {
      const isReady = findCondition(conditionsOf(node), 'Ready')?.status === 'True';
      const counted = { zone, isReady };
      this.#nodes.set(name, counted);
      this.#add(counted, 1);
    }
    return wasCutOff !== this.isCutOff || touched.some((one, i) => pauseMs(one) !== before[i]);
  }

  /** 0: it has its turn now, and the next one only later; otherwise how long it has to wait, maybe for ever. */
  turnInMs(node: KubeObject, now: number): number {
    const zone = this.#zoneOf(node);
    const pause = pauseMs(zone);
    if (pause === Infinity) return pause;
    const waitMs = Math.max(0, zone.turnAt + pause - now);
    if (waitMs === 0) zone.turnAt = now;
    return waitMs;
  }

  #zoneOf(node: KubeObject): Zone {
    const key = keyOfZone(node);
    const zone = this.#zones.get(key) ?? { readyCount: 0, silentCount: 0, turnAt: -Infinity };
    this.#zones.set(key, zone);
    return zone;
  }

  #add({ zone, isReady }: Counted, change: 1 | -1): void {
    if (isReady) zone.readyCount += change;
    else zone.silentCount += change;
    if (isReady) this.#readyCount += change;
  }
}
