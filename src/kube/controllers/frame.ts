// The frame of every controller: informers feed a queue of keys, workers take them, a core decides,
// perform.ts does it; what fails comes back later and later, and everything is looked at now and then.
import { errorChain } from '#base/fault.ts';
import type { Env, Timer } from '#env/env.ts';
import { hasReason, type KubeClient } from '#kube/client/client.ts';
import { EventRecorder } from '#kube/client/events.ts';
import { Expectations } from '#kube/client/expectations.ts';
import type { InformerPool } from '#kube/client/informer-pool.ts';
import { keyOf } from '#kube/client/informer-store.ts';
import type { Informer } from '#kube/client/informer.ts';
import { defaultBackOff, WorkQueue } from '#kube/client/work-queue.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import {
  labelSelectorFromObject,
  matchesLabels,
  type LabelSelector,
} from '#kube/meta/selectors.ts';
import type { Authority } from '#kube/pki/authority.ts';
import type { Decision } from './effects.ts';
import { controllerOf } from './owners.ts';
import { perform } from './perform.ts';

export interface ControllerServices {
  readonly client: KubeClient;
  readonly informers: InformerPool;
  readonly env: Env;
  /** PEM of the certificate that pods verify the API server by. */
  readonly rootCa: string;
  /** Whoever signs certificates for clients and nodes of the instance; absent: nobody here does. */
  readonly signer?: Pick<Authority, 'sign'> | undefined;
  /** Makes tokens for secrets; absent: nobody here does. */
  readonly tokens?: SecretTokens | undefined;
}

export interface SecretTokens {
  issueLegacy(account: KubeObject, secret: string): Promise<string>;
}

export interface ControllerOptions {
  /** In logs. */
  readonly name: string;
  /** In events: `deployment-controller`. */
  readonly component: string;
  /** What must be synced before work begins. */
  readonly needs: readonly Informer[];
  /** All keys, for the pass that repairs what events missed. */
  readonly keys: () => Iterable<string>;
  readonly reconcile: (key: string, now: number) => Decision | Promise<Decision>;
  /** What else must have happened before work begins. */
  readonly ready?: (() => Promise<void>) | undefined;
  readonly workersMax?: number | undefined;
  readonly resyncMs?: number | undefined;
  /** Why pods of the key could not be made or deleted; without an effect: now they could. */
  readonly onFailure?:
    | ((key: string, effect: 'create' | 'delete' | undefined, message: string) => void)
    | undefined;
  readonly onClose?: (() => void | Promise<void>) | undefined;
}

const WORKERS_MAX = 8;
const RESYNC_MS = 5 * 60_000;

export class Controller {
  readonly name: string;
  readonly expectations: Expectations;
  readonly recorder: EventRecorder;
  readonly #options: ControllerOptions;
  readonly #services: ControllerServices;
  readonly #queue: WorkQueue;
  readonly #env: Env;
  readonly #work = new Set<Promise<void>>();
  #resync: Timer | undefined;
  #state: 'new' | 'running' | 'closed' = 'new';

  constructor(options: ControllerOptions, services: ControllerServices) {
    this.name = options.name;
    this.#options = options;
    this.#services = services;
    this.#env = services.env;
    this.expectations = new Expectations(services.env.clock);
    const source = { component: options.component };
    this.recorder = new EventRecorder(source, services.client, services.env);
    this.#queue = new WorkQueue(defaultBackOff, () => this.#next(), services.env);
  }

  enqueue(key: string): void {
    this.#queue.add(key);
  }

  enqueueAfter(key: string, delayMs: number): void {
    this.#queue.addAfter(key, delayMs);
  }

  /** Resolves when the informers are synced and work has begun. */
  async start(): Promise<void> {
    await Promise.all(this.#options.needs.map((informer) => informer.whenSynced()));
    await this.#options.ready?.();
    if (this.#state !== 'new') return;
    this.#state = 'running';
    this.#resyncAll();
    this.#next();
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    this.#resync?.cancel();
    this.#queue.close();
    await this.#options.onClose?.();
    await Promise.all(this.#work);
    await this.recorder.close();
  }

  #resyncAll(): void {
    for (const key of this.#options.keys()) this.#queue.add(key);
    const delayMs = this.#options.resyncMs ?? RESYNC_MS;
    this.#resync = this.#env.timers.after(delayMs, () => this.#resyncAll());
  }

  #next(): void {
    const workersMax = this.#options.workersMax ?? WORKERS_MAX;
    while (this.#state === 'running' && this.#queue.processingCount < workersMax) {
      const key = this.#queue.take();
      if (key === undefined) return;
      const work = this.#reconcile(key).finally(() => {
        this.#work.delete(work);
        this.#queue.done(key);
        this.#next();
      });
      this.#work.add(work);
    }
  }

  async #reconcile(key: string): Promise<void> {
    try {
      // What is told in one batch of watch events is decided on together.
      await Promise.resolve();
      const decision = await this.#options.reconcile(key, this.#env.clock.now());
      const { client } = this.#services;
      const { recorder, expectations } = this;
      const { onFailure } = this.#options;
      const onFailed = (effect: 'create' | 'delete', message: string): void =>
        onFailure?.(key, effect, message);
      const context = { client, recorder, expectations, key, onFailed };
      await perform(decision.effects, context);
      const hasActed = decision.effects.some(({ kind }) => kind === 'create' || kind === 'delete');
      if (hasActed) onFailure?.(key, undefined, '');
      this.#queue.forget(key);
      if (decision.againInMs !== undefined) this.#queue.addAfter(key, decision.againInMs);
    } catch (error) {
      if (this.#state === 'closed') return;
      // The copy was stale; its newer version is on its way.
      const isStale = hasReason(error, 'Conflict', 'NotFound', 'AlreadyExists');
      const fields = { controller: this.name, key, error: errorChain(error) };
      if (isStale) this.#env.log.debug('A reconciliation met a newer version', fields);
      else this.#env.log.warn('A reconciliation failed', fields);
      this.#queue.addRateLimited(key);
    }
  }
}

/** Enqueues each object of the informer when it comes, changes or goes. */
export function followOwn(informer: Informer, controller: Controller): void {
  informer.addHandler({
    onAdd: (object) => controller.enqueue(keyOf(object)),
    onUpdate: (_old, object) => controller.enqueue(keyOf(object)),
    onDelete: (object) => {
      controller.expectations.forget(keyOf(object));
      controller.enqueue(keyOf(object));
    },
  });
}

export const byOwner = 'controller-uid';
export const byNamespace = 'namespace';

/** Indices by which owners find what is theirs and what they may take over. */
export function indexOwned(informer: Informer): void {
  informer.addIndexers({
    [byOwner]: (object) => [controllerOf(object)?.uid ?? `orphan/${object.metadata.namespace}`],
  });
}

export function indexNamespaces(informer: Informer): void {
  informer.addIndexers({ [byNamespace]: ({ metadata }) => [metadata.namespace ?? ''] });
}

/** What has the owner as its controller, and what of its namespace has none. */
export function candidatesOf(informer: Informer, owner: KubeObject): readonly KubeObject[] {
  const { uid = '', namespace } = owner.metadata;
  return [...informer.byIndex(byOwner, uid), ...informer.byIndex(byOwner, `orphan/${namespace}`)];
}

export interface FollowOwnedOptions {
  readonly kind: string;
  readonly owned: Informer;
  /** What may take over an orphan that its selector takes; without, nothing may. */
  readonly adopters?: Informer;
  /** Default: `spec.selector`. */
  readonly selectorOf?: (owner: KubeObject) => LabelSelector;
}

function ownSelector(owner: KubeObject): LabelSelector {
  return labelSelectorFromObject(owner['spec'].selector) ?? [];
}

/** Enqueues the owner when what it owns changes, and keeps its expectations. */
export function followOwned(options: FollowOwnedOptions, controller: Controller): void {
  const { kind, owned, adopters, selectorOf = ownSelector } = options;
  const { expectations } = controller;
  const ownerKey = (object: KubeObject): string | undefined => {
    const owner = controllerOf(object);
    return owner?.kind === kind ? `${object.metadata.namespace}/${owner.name}` : undefined;
  };
  const enqueue = (object: KubeObject): void => {
    const key = ownerKey(object);
    if (key !== undefined) controller.enqueue(key);
    else if (controllerOf(object) === undefined) {
      const { namespace = '', labels } = object.metadata;
      for (const owner of adopters?.byIndex(byNamespace, namespace) ?? [])
        if (matchesLabels(selectorOf(owner), labels)) controller.enqueue(keyOf(owner));
    }
  };
  if (adopters !== undefined) indexNamespaces(adopters);
  indexOwned(owned);
  owned.addHandler({
    onAdd: (object) => {
      const key = ownerKey(object);
      if (key !== undefined) expectations.creationObserved(key);
      enqueue(object);
    },
    onUpdate: (old, object) => {
      const key = ownerKey(object);
      // One that is going no longer counts, as if it were gone.
      if (key !== undefined && object.metadata.deletionTimestamp !== undefined) {
        expectations.deletionObserved(key, object.metadata.uid ?? '');
      }
      enqueue(object);
      const before = ownerKey(old);
      if (before !== undefined && before !== key) controller.enqueue(before);
    },
    onDelete: (object) => {
      const key = ownerKey(object);
      if (key !== undefined) {
        expectations.deletionObserved(key, object.metadata.uid ?? '');
        controller.enqueue(key);
      }
    },
  });
}
