// Keeps the registry in step with the stored custom resource definitions: names are accepted, resources
// established, and the objects of a definition that goes are deleted before it.
import type { Env } from '#env/env.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { same } from '#base/same.ts';
import { ApiError } from '#kube/meta/status.ts';
import type { TypeRegistry } from '#kube/types/registry.ts';
import { prefixEnd, type Store } from '#store/store.ts';
import { followObjects } from '#kube/apiserver/followed-objects.ts';
import { collectionPrefix, objectFor } from '#kube/apiserver/object-store.ts';
import type { Reads } from '#kube/apiserver/reads.ts';
import type { Resources } from '#kube/apiserver/resources.ts';
import { timestamp } from '#kube/apiserver/strategies.ts';
import { systemWrite } from '#kube/apiserver/system-write.ts';
import { WebhookConnections } from '#kube/apiserver/webhook-connections.ts';
import {
  CLEANUP_FINALIZER,
  conditionsOf,
  IN_PROGRESS,
  isTrue,
  nextStatus,
  withCondition,
} from './conditions.ts';
import { customResources } from './custom-resources.ts';

const group = 'apiextensions.k8s.io';
const resource = 'customresourcedefinitions';

interface Cleaning {
  readonly watch: { cancel(): void };
}

interface DefinitionServices {
  readonly store: Store;
  readonly registry: TypeRegistry;
  readonly resources: Resources;
  /** Is told what is served no more, or else from now on; not of what is only going. */
  readonly reads: () => Pick<Reads, 'endWatches'>;
}

export class Definitions {
  readonly #store: Store;
  readonly #registry: TypeRegistry;
  readonly #resources: Resources;
  readonly #reads: DefinitionServices['reads'];
  readonly #env: Env;
  readonly #webhooks = new WebhookConnections();
  readonly #known = new Map<string, KubeObject>();
  readonly #cleaning = new Map<string, Cleaning>();
  #watch: { cancel(): void } | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor({ store, registry, resources, reads }: DefinitionServices, env: Env) {
    this.#reads = reads;
    this.#store = store;
    this.#registry = registry;
    this.#resources = resources;
    this.#env = env;
  }

  async start(): Promise<void> {
    let isStarted = false;
    const follower = {
      put: (_name: string, definition: KubeObject) =>
        isStarted ? this.#onPut(definition) : this.#take(definition),
      gone: (name: string) => this.#onGone(name),
    };
    const from = { store: this.#store, log: this.#env.log };
    this.#watch = await followObjects(from, { group, resource }, follower);
    isStarted = true;
    for (const name of this.#known.keys()) this.#enqueue(name);
  }

  close(): void {
    this.#watch?.cancel();
    this.#webhooks.close();
    for (const { watch } of this.#cleaning.values()) watch.cancel();
  }

  /** After a client wrote a definition: its answer waits until the definition has been taken up. */
  async onWritten(info: ResourceInfo): Promise<void> {
    if (info.group === group && info.resource === resource) await this.#working;
  }

  #onGone(name: string): void {
    const gone = this.#known.get(name);
    if (gone === undefined) return;
    this.#known.delete(name);
    this.#serve(name, [], true);
    this.#enqueueOthers(gone);
  }

  #onPut(definition: KubeObject): void {
    const { name = '' } = definition.metadata;
    const before = this.#known.get(name);
    this.#take(definition);
    this.#enqueue(name);
    if (before !== undefined && !same(acceptedNames(before), acceptedNames(definition)))
      this.#enqueueOthers(definition);
  }

  /** Some of its names are free: others of the group may have waited for them. */
  #enqueueOthers({ metadata, spec }: KubeObject): void {
    for (const [other, one] of this.#known) {
      if (other !== metadata.name && one['spec']?.group === spec?.group) this.#enqueue(other);
    }
  }

  #enqueue(name: string): void {
    this.#working = this.#working
      .then(() => this.#reconcile(name))
      .catch((error: unknown) => this.#env.log.error('Cannot establish a definition', { error }));
  }

  #take(definition: KubeObject): void {
    const { name = '' } = definition.metadata;
    const before = this.#known.get(name);
    this.#known.set(name, definition);
    if (before !== undefined && !changesServing(before, definition)) return;
    if (!isTrue(definition, 'Established')) return this.#serve(name, [], true);
    const services = {
      lookup: this.#resources,
      webhooks: this.#webhooks,
      random: () => this.#env.random.next(),
      uuid: () => this.#env.random.uuid(),
    };
    const all = customResources(definition, services).filter((one) => !this.#isTaken(one));
    const isElse = before === undefined || changesObjects(before, definition);
    this.#serve(name, all, isElse);
  }

  #serve(name: string, resources: readonly ResourceInfo[], isElse: boolean): void {
    const before = this.#registry.all().filter((one) => one.customResourceDefinition === name);
    if (resources.length === 0) this.#registry.removeCustom(name);
    else this.#registry.addCustom(name, resources);
    if (isElse && before.length > 0) this.#reads().endWatches(name, before);
  }

  async #reconcile(name: string): Promise<void> {
    const info = this.#registry.byResource(group, 'v1', resource);
    const definition = this.#known.get(name);
    if (info === undefined || definition === undefined) return;
    try {
      if (definition.metadata.deletionTimestamp !== undefined) {
        return await this.#cleanUp(info, definition);
      }
      const now = timestamp(this.#env.clock.now());
      if (nextStatus(definition, this.#known.values(), now) === undefined) return;
      await this.#resources.modify(systemWrite(info, { subresource: 'status' }), name, (live) => {
        const status = nextStatus(live, this.#known.values(), now);
        return status === undefined ? live : { ...live, status };
      });
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'NotFound') throw error;
    }
  }

  /** A definition that goes takes its objects along; those with finalizers are waited for. */
  async #cleanUp(info: ResourceInfo, definition: KubeObject): Promise<void> {
    const { name = '', finalizers = [] } = definition.metadata;
    if (!finalizers.includes(CLEANUP_FINALIZER) || this.#cleaning.has(name)) return;
    const own = this.#registry.all().find((one) => one.customResourceDefinition === name);
    if (own === undefined || this.#isBuiltIn(own)) return await this.#release(info, name);
    const now = timestamp(this.#env.clock.now());
    await this.#resources.modify(systemWrite(info, { subresource: 'status' }), name, (live) => {
      const conditions = withCondition(conditionsOf(live), IN_PROGRESS, now);
      return { ...live, status: { ...live['status'], conditions } };
    });
    const start = collectionPrefix(own, undefined);
    const end = prefixEnd(start);
    const { items, revision } = await this.#store.range({ start, end });
    for (const kv of items) {
      const { metadata } = objectFor(own, kv);
      const context = systemWrite(own, { namespace: metadata.namespace });
      await this.#resources.delete(context, metadata.name ?? '', {}).catch(ignoreNotFound);
    }
    const left = await this.#store.range({ start, end, limit: 1 });
    if (left.items.length === 0) return await this.#release(info, name);
    const watch = this.#store.watch(
      { start, end, startRevision: revision + 1 },
      { onEvents: () => this.#checkCleaned(info, name, { start, end }), onEnd: () => {} },
    );
    this.#cleaning.set(name, { watch });
    this.#checkCleaned(info, name, { start, end });
  }

  #checkCleaned(info: ResourceInfo, name: string, range: { start: string; end: string }): void {
    this.#working = this.#working
      .then(async () => {
        if (!this.#cleaning.has(name)) return;
        const left = await this.#store.range({ ...range, limit: 1 });
        if (left.items.length > 0) return;
        this.#cleaning.get(name)?.watch.cancel();
        this.#cleaning.delete(name);
        await this.#release(info, name);
      })
      .catch((error: unknown) => this.#env.log.error('Cannot clean up a definition', { error }));
  }

  /** A group's version that is built in is so as a whole: upstream's aggregator asks nobody else about it. */
  #isTaken({ group: one, version }: ResourceInfo): boolean {
    return this.#registry
      .all()
      .some(
        (other) =>
          other.group === one &&
          other.version === version &&
          other.customResourceDefinition === undefined,
      );
  }

  #isBuiltIn(own: ResourceInfo): boolean {
    const other = this.#registry
      .all()
      .find(({ group: one, resource: name }) => one === own.group && name === own.resource);
    return other?.customResourceDefinition === undefined;
  }

  async #release(info: ResourceInfo, name: string): Promise<void> {
    await this.#resources
      .modify(systemWrite(info), name, (live) => {
        const { finalizers = [] } = live.metadata;
        live.metadata.finalizers = finalizers.filter((one) => one !== CLEANUP_FINALIZER);
        return live;
      })
      .catch(ignoreNotFound);
  }
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof ApiError) || error.reason !== 'NotFound') throw error;
}

const acceptedNames = ({ status }: KubeObject): unknown => status?.acceptedNames;

/** Whether the change is more than one of status or metadata: what is served stays else. */
function changesServing(before: KubeObject, after: KubeObject): boolean {
  if (isTrue(before, 'Terminating') !== isTrue(after, 'Terminating')) return true;
  return changesObjects(before, after);
}

/** Whether objects are read and told otherwise than before. */
function changesObjects(before: KubeObject, after: KubeObject): boolean {
  if (isTrue(before, 'Established') !== isTrue(after, 'Established')) return true;
  if (!same(acceptedNames(before), acceptedNames(after))) return true;
  return !same(before['spec'], after['spec']);
}
