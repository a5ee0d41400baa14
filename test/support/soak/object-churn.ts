// Many ConfigMaps, changed, deleted and made again without end, and watchers that must be told every change
// once and in order, over every end of a watch.
import type { KubeClient } from '#kube/client/client.ts';
import { configMaps, namespaces } from '#kube/client/resources.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { eventually } from '#test/support/cluster.ts';
import type { Latencies } from './latencies.ts';

const NAMESPACES = 20;
const WORKERS = 16;
const WATCHERS = 3;
const DATA = 'x'.repeat(1_000);
const PROBLEMS_MAX = 20;
const TOLD_MS_MAX = 30_000;

const namespaceOf = (index: number): string => `soak-${index % NAMESPACES}`;
const nameOf = (index: number): string => `object-${index}`;

function objectOf(index: number): KubeObject {
  const metadata = { namespace: namespaceOf(index), name: nameOf(index), labels: { app: 'soak' } };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { text: DATA } } as KubeObject;
}

class Watcher {
  /** Versions by object, as they came. */
  readonly told = new Map<string, string[]>();
  readonly problems: string[] = [];
  /** How often the server ended the watch. */
  ends = 0;
  #version: string;
  readonly #client: KubeClient;

  constructor(client: KubeClient, version: string) {
    this.#client = client;
    this.#version = version;
  }

  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#client.watch(
          configMaps,
          { labelSelector: 'app=soak', resourceVersion: this.#version },
          ({ type, object }) => {
            this.#version = object.metadata.resourceVersion ?? this.#version;
            if (type !== 'BOOKMARK') this.#take(object);
          },
          signal,
        );
        this.ends += 1;
      } catch (error) {
        if (!signal.aborted) this.problems.push(`a watch failed: ${String(error)}`);
        return;
      }
    }
  }

  #take({ metadata: { namespace, name, resourceVersion = '' } }: KubeObject): void {
    const key = `${namespace}/${name}`;
    const versions = this.told.get(key);
    if (versions === undefined) this.told.set(key, [resourceVersion]);
    else versions.push(resourceVersion);
  }
}

export class ObjectChurn {
  readonly #client: KubeClient;
  readonly #count: number;
  readonly #latencies: Latencies;
  /** Versions by object, as they were acknowledged; of a deletion, that of the object which it left. */
  readonly #written = new Map<string, string[]>();
  readonly #watchers: Watcher[] = [];
  readonly #stop = new AbortController();
  #followed: Promise<void>[] = [];
  #next = 0;
  writes = 0;

  constructor(client: KubeClient, count: number, latencies: Latencies) {
    this.#client = client;
    this.#count = count;
    this.#latencies = latencies;
  }

  async fill(): Promise<void> {
    for (let index = 0; index < NAMESPACES; index++) {
      const metadata = { name: namespaceOf(index) };
      await this.#client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata });
    }
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < this.#count) await this.#client.create(configMaps, objectOf(next++));
    };
    await Promise.all(Array.from({ length: WORKERS }, worker));
    const { metadata } = await this.#client.list(configMaps, { limit: 1 });
    for (let index = 0; index < WATCHERS; index++) {
      this.#watchers.push(new Watcher(this.#client, metadata.resourceVersion));
    }
    this.#followed = this.#watchers.map((one) => one.follow(this.#stop.signal));
  }

  /** One change of the next object in turn: three patches, then a deletion and a creation. */
  async step(): Promise<void> {
    // A stride without a common divisor visits every object before one comes again.
    this.#next = (this.#next + 7_919) % this.#count;
    const index = this.#next;
    const place = { namespace: namespaceOf(index), name: nameOf(index) };
    this.writes += 1;
    if (this.writes % 4 !== 0) {
      await this.#latencies.time('patch of an object', async () => {
        const patch = { data: { turn: String(this.writes) } };
        this.#note(await this.#client.patch(configMaps, { ...place, type: 'merge' }, patch));
      });
      return;
    }
    await this.#latencies.time('deletion and creation', async () => {
      await this.#client.delete(configMaps, place);
      this.#noteGone(place);
      this.#note(await this.#client.create(configMaps, objectOf(index)));
    });
  }

  /** What watchers were not told, or told twice, when all was written. */
  async end(): Promise<string[]> {
    await this.#settled();
    this.#stop.abort();
    await Promise.all(this.#followed);
    const problems = this.#watchers.flatMap((one) => [...one.problems, ...this.#differences(one)]);
    return problems.slice(0, PROBLEMS_MAX);
  }

  get watchEnds(): number {
    return this.#watchers.reduce((sum, one) => sum + one.ends, 0);
  }

  #note({ metadata: { namespace, name, resourceVersion = '' } }: KubeObject): void {
    this.#noteVersion(`${namespace}/${name}`, resourceVersion);
  }

  /** The answer to a deletion does not tell its version. */
  #noteGone({ namespace, name }: { readonly namespace: string; readonly name: string }): void {
    this.#noteVersion(`${namespace}/${name}`, 'gone');
  }

  #noteVersion(key: string, version: string): void {
    const versions = this.#written.get(key);
    if (versions === undefined) this.#written.set(key, [version]);
    else versions.push(version);
  }

  async #settled(): Promise<void> {
    const isTold = (one: Watcher): boolean => this.#differences(one).length === 0;
    // What is still missing then is told as a problem.
    await eventually(
      'watchers have been told everything',
      async () => this.#watchers.every(isTold) || undefined,
      TOLD_MS_MAX,
    ).catch(() => {});
  }

  #differences({ told }: Watcher): string[] {
    const found: string[] = [];
    for (const [key, written] of this.#written) {
      const seen = told.get(key) ?? [];
      const isSame =
        seen.length === written.length &&
        seen.every((version, index) => written[index] === 'gone' || written[index] === version) &&
        seen.every(
          (version, index) => index === 0 || BigInt(seen[index - 1] ?? 0) < BigInt(version),
        );
      if (!isSame) found.push(`${key}: written ${written.join()}, told ${seen.join()}`);
    }
    return found;
  }
}
