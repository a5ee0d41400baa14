// One informer per resource for all components of a process.
import type { Env } from '#env/env.ts';
import type { GroupVersionResource, KubeObject } from '#kube/meta/object.ts';
import type { KubeClient } from './client.ts';
import { Informer } from './informer.ts';
import { resourceKey } from './resources.ts';

export class InformerPool {
  readonly #client: KubeClient;
  readonly #env: Env;
  readonly #informers = new Map<string, Informer>();

  constructor(client: KubeClient, env: Env) {
    this.#client = client;
    this.#env = env;
  }

  /** Of all namespaces or one, with whole objects; started with `start`. */
  informer<T extends KubeObject = KubeObject>(
    resource: GroupVersionResource,
    namespace?: string,
  ): Informer<T> {
    const key = `${resourceKey(resource)} ${namespace ?? ''}`;
    let informer = this.#informers.get(key);
    if (informer === undefined) {
      informer = new Informer({ resource, namespace }, this.#client, this.#env);
      this.#informers.set(key, informer);
    }
    return informer as unknown as Informer<T>;
  }

  start(): void {
    for (const informer of this.#informers.values()) informer.start();
  }

  async whenSynced(): Promise<void> {
    await Promise.all([...this.#informers.values()].map((informer) => informer.whenSynced()));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#informers.values()].map((informer) => informer.close()));
  }
}
