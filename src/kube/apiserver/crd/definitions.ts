// Keeps the registry in step with the stored custom resource definitions and establishes new ones.
import type { Env } from '#env/env.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { ApiError } from '#kube/meta/status.ts';
import type { TypeRegistry } from '#kube/types/registry.ts';
import { prefixEnd, type Store, type StoreEvent } from '#store/store.ts';
import { objectOf, resourcePrefix, collectionPrefix } from '#kube/apiserver/object-store.ts';
import type { Resources, WriteContext } from '#kube/apiserver/resources.ts';
import { timestamp } from '#kube/apiserver/strategies.ts';
import { authenticated } from '#kube/apiserver/user.ts';
import { customResources, establishedStatus } from './custom-resources.ts';

const group = 'apiextensions.k8s.io';
const resource = 'customresourcedefinitions';
const FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

export class Definitions {
  readonly #store: Store;
  readonly #registry: TypeRegistry;
  readonly #resources: Resources;
  readonly #env: Env;
  #watch: { cancel(): void } | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(store: Store, registry: TypeRegistry, resources: Resources, env: Env) {
    this.#store = store;
    this.#registry = registry;
    this.#resources = resources;
    this.#env = env;
  }

  async start(): Promise<void> {
    const start = resourcePrefix({ group, resource });
    const end = prefixEnd(start);
    const { items, revision } = await this.#store.range({ start, end });
    for (const kv of items) this.#serve(objectOf(kv));
    this.#watch = this.#store.watch(
      { start, end, startRevision: revision + 1 },
      {
        onEvents: (events) => this.#onEvents(events),
        onEnd: () => {},
      },
    );
  }

  close(): void {
    this.#watch?.cancel();
  }

  /** After a client wrote a definition: its answer waits until the definition has been taken up. */
  async onWritten(info: ResourceInfo): Promise<void> {
    if (info.group === group && info.resource === resource) await this.#working;
  }

  #onEvents(events: readonly StoreEvent[]): void {
    for (const event of events) {
      if (event.kind === 'delete') {
        this.#registry.removeCustom(objectOf(event.previous).metadata.name ?? '');
        continue;
      }
      const definition = objectOf(event.kv);
      this.#serve(definition);
      this.#working = this.#working
        .then(() => this.#reconcile(definition))
        .catch((error: unknown) => this.#env.log.error('Cannot establish a definition', { error }));
    }
  }

  #serve(definition: KubeObject): void {
    const name = definition.metadata.name ?? '';
    const isGoing = definition.metadata.deletionTimestamp !== undefined;
    this.#registry.addCustom(name, isGoing ? [] : customResources(definition));
  }

  #context(): WriteContext | undefined {
    const info = this.#registry.byResource(group, 'v1', resource);
    if (info === undefined) return undefined;
    return {
      info,
      subresource: 'status',
      namespace: undefined,
      user: authenticated('system:apiserver', ['system:masters']),
      fieldManager: 'kube-apiserver',
      fieldValidation: 'Ignore',
      isDryRun: false,
      warnings: [],
    };
  }

  async #reconcile(definition: KubeObject): Promise<void> {
    const context = this.#context();
    const name = definition.metadata.name ?? '';
    if (context === undefined) return;
    try {
      if (definition.metadata.deletionTimestamp !== undefined)
        return await this.#cleanUp(context, definition);
      const conditions = (definition['status']?.conditions ?? []) as {
        type: string;
        status: string;
      }[];
      const isEstablished = conditions.some(
        (one) => one.type === 'Established' && one.status === 'True',
      );
      if (!isEstablished) {
        const now = timestamp(this.#env.clock.now());
        await this.#resources.modify(context, name, (live) => ({
          ...live,
          status: establishedStatus(live, now),
        }));
      }
      if (definition.metadata.finalizers?.includes(FINALIZER) !== true) {
        await this.#resources.modify({ ...context, subresource: undefined }, name, (live) => {
          live.metadata.finalizers = [...new Set([...(live.metadata.finalizers ?? []), FINALIZER])];
          return live;
        });
      }
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'NotFound') throw error;
    }
  }

  /** A definition that goes takes its objects along. */
  async #cleanUp(context: WriteContext, definition: KubeObject): Promise<void> {
    const { name = '', finalizers = [] } = definition.metadata;
    if (!finalizers.includes(FINALIZER)) return;
    const info = customResources({ ...definition })[0];
    if (info !== undefined) {
      const start = collectionPrefix(info, undefined);
      const { items } = await this.#store.range({ start, end: prefixEnd(start) });
      for (const kv of items) {
        await this.#store.txn({ compare: [], then: [{ kind: 'delete', key: kv.key }] });
      }
    }
    await this.#resources.modify({ ...context, subresource: undefined }, name, (live) => {
      live.metadata.finalizers = (live.metadata.finalizers ?? []).filter(
        (one) => one !== FINALIZER,
      );
      return live;
    });
  }
}
