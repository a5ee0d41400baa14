// The API services as they are stored: which versions other servers serve, whether those can be reached,
// and what they say of themselves. Follows the store; checks again after each change, and now and then.
import type { Env } from '#env/env.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { same } from '#base/same.ts';
import { ApiError } from '#kube/meta/status.ts';
import { priorityOf, type Priority } from '#kube/openapi/priorities.ts';
import type { RemoteVersion } from '#kube/openapi/remote-versions.ts';
import type { KeyPair } from '#kube/pki/authority.ts';
import type { TypeRegistry } from '#kube/types/registry.ts';
import { followObjects, objectIfReadable } from '#kube/apiserver/followed-objects.ts';
import { resourcePrefix } from '#kube/apiserver/object-store.ts';
import type { Resources } from '#kube/apiserver/resources.ts';
import { timestamp } from '#kube/apiserver/strategies.ts';
import { systemWrite } from '#kube/apiserver/system-write.ts';
import { prefixEnd, type Store, type StoreEvent } from '#store/store.ts';
import { findingOf, isAvailable, withFinding, type Finding } from './availability.ts';
import { Backend, specOf } from './backend.ts';
import { SERVICE_LABEL } from '#kube/apiserver/service-endpoints.ts';
import { Registration } from './registration.ts';
import { RemoteDocuments } from './remote-documents.ts';
import { Rechecks } from './rechecks.ts';

const group = 'apiregistration.k8s.io';
const resource = 'apiservices';
const LOCAL: Finding = {
  status: 'True',
  reason: 'Local',
  message: 'Local APIServices are always available',
};

export interface Remote {
  readonly service: KubeObject;
  readonly backend: Backend;
  readonly documents: RemoteDocuments;
}

export interface AggregationOptions {
  readonly store: Store;
  readonly registry: TypeRegistry;
  readonly resources: Resources;
  /** By which extension servers know this one. */
  readonly pair: KeyPair;
}

export class Aggregation {
  readonly #options: AggregationOptions;
  readonly #env: Env;
  readonly #known = new Map<string, KubeObject>();
  /** By `group/version`. */
  readonly #remotes = new Map<string, Remote>();
  readonly #rechecks: Rechecks;
  readonly #registration: Registration;
  readonly #info: ResourceInfo;
  readonly #watches: { cancel(): void }[] = [];
  #serviceWatches: { cancel(): void }[] = [];
  readonly #listeners = new Set<() => void>();
  #registering: Promise<void> = Promise.resolve();

  constructor(options: AggregationOptions, env: Env) {
    this.#options = options;
    this.#env = env;
    const info = options.registry.byResource(group, 'v1', resource);
    if (info === undefined) throw new Error('API services are not served');
    this.#info = info;
    const known = this.#known;
    this.#registration = new Registration(options.resources, options.registry, { info, known });
    this.#rechecks = new Rechecks((name) => this.#check(name), env);
  }

  async start(): Promise<void> {
    const { store, registry } = this.#options;
    const follower = {
      put: (_name: string, service: KubeObject) => this.#take(service),
      gone: (name: string) => this.#drop(name),
    };
    const from = { store, log: this.#env.log };
    this.#watches.push(await followObjects(from, { group, resource }, follower), {
      cancel: registry.onChange(() => this.#register()),
    });
    await this.#registration.start();
  }

  close(): void {
    for (const watch of [...this.#watches, ...this.#serviceWatches]) watch.cancel();
    this.#rechecks.close();
    for (const { backend } of this.#remotes.values()) backend.close();
  }

  /** Called when documents of this server have to be made anew. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Who serves a path; undefined: this server does. */
  remoteOf(path: string): Remote | undefined {
    if (this.#remotes.size === 0) return undefined;
    const [, root, first = '', second = ''] = path.split('/');
    if (root === 'api') return this.#remotes.get(`/${first}`);
    return root === 'apis' ? this.#remotes.get(`${first}/${second}`) : undefined;
  }

  priorityOf(groupName: string, version: string): Priority {
    const found = this.#known.get(`${version}.${groupName}`);
    if (found === undefined) return priorityOf(groupName, version);
    const { groupPriorityMinimum, versionPriority } = specOf(found);
    return { group: groupPriorityMinimum, version: versionPriority };
  }

  get remotes(): readonly RemoteVersion[] {
    return [...this.#remotes.values()].map(({ documents }) => documents.version);
  }

  documents(): readonly RemoteDocuments[] {
    return [...this.#remotes.values()].map(({ documents }) => documents);
  }

  /** 1 where it is not available: the lines of aggregator_unavailable_apiservice. */
  metrics(): string[] {
    const name = 'aggregator_unavailable_apiservice';
    return [
      `# TYPE ${name} gauge`,
      ...[...this.#known].map(([of, one]) => `${name}{name="${of}"} ${isAvailable(one) ? 0 : 1}`),
    ];
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #take(service: KubeObject): void {
    const { name = '' } = service.metadata;
    const before = this.#known.get(name);
    this.#known.set(name, service);
    const spec = specOf(service);
    const key = `${spec.group ?? ''}/${spec.version}`;
    const remote = this.#remotes.get(key);
    if (spec.service === undefined) {
      if (remote !== undefined) this.#forget(key, name);
      if (!isAvailable(service)) this.#rechecks.now(name);
    } else if (remote === undefined || !same(specOf(remote.service), spec)) {
      remote?.backend.close();
      const { pair, resources } = this.#options;
      const draw = (): number => this.#env.random.next();
      const backend = new Backend(spec, { lookup: resources, pair, draw });
      const documents = new RemoteDocuments({ ...spec, group: spec.group ?? '' }, backend);
      this.#remotes.set(key, { service, backend, documents });
      this.#followServices();
      this.#rechecks.now(name);
    } else {
      this.#remotes.set(key, { ...remote, service });
      if (isAvailable(service) !== isAvailable(remote.service)) this.#rechecks.now(name);
    }
    if (before === undefined || !same(before['spec'], service['spec'])) this.#changed();
  }

  #drop(name: string): void {
    const service = this.#known.get(name);
    // One that could not be read was not there; what we keep is made anew all the same.
    if (service === undefined) return this.#register();
    const spec = specOf(service);
    this.#known.delete(name);
    this.#forget(`${spec.group ?? ''}/${spec.version}`, name);
    this.#changed();
    // What we keep comes back.
    this.#register();
  }

  #forget(key: string, name: string): void {
    this.#rechecks.forget(name);
    this.#remotes.get(key)?.backend.close();
    this.#remotes.delete(key);
    if (this.#remotes.size > 0) return;
    for (const watch of this.#serviceWatches) watch.cancel();
    this.#serviceWatches = [];
  }

  #register(): void {
    this.#registering = this.#registering
      .then(() => this.#registration.syncCustom())
      .catch((error: unknown) => this.#env.log.error('Cannot register API services', { error }));
  }

  /** Services and endpoints are of interest only while another server is behind any of them. */
  #followServices(): void {
    if (this.#serviceWatches.length > 0) return;
    const { store } = this.#options;
    const follow = (
      of: { group: string; resource: string },
      nameOf: (one: KubeObject) => string,
    ) => {
      const start = resourcePrefix(of);
      const onEvents = (events: readonly StoreEvent[]): void => {
        for (const event of events) {
          const kv = event.kind === 'put' ? event.kv : event.previous;
          const one = objectIfReadable(kv, this.#env.log);
          if (one !== undefined) this.#recheckUsers(one.metadata.namespace ?? '', nameOf(one));
        }
      };
      const startRevision = store.revision() + 1;
      const range = { start, end: prefixEnd(start), startRevision };
      this.#serviceWatches.push(store.watch(range, { onEvents, onEnd: () => {} }));
    };
    follow({ group: '', resource: 'services' }, ({ metadata }) => metadata.name ?? '');
    follow(
      { group: 'discovery.k8s.io', resource: 'endpointslices' },
      ({ metadata }) => metadata.labels?.[SERVICE_LABEL] ?? '',
    );
  }

  #recheckUsers(namespace: string, name: string): void {
    for (const { service, backend } of this.#remotes.values()) {
      const { place } = backend;
      if (place.namespace !== namespace || place.name !== name) continue;
      this.#rechecks.now(service.metadata.name ?? '');
    }
  }

  /** Whether all is well; else it is checked again soon. */
  async #check(name: string): Promise<boolean> {
    const service = this.#known.get(name);
    if (service === undefined) return true;
    const { group: own = '', version } = specOf(service);
    const remote = this.#remotes.get(`${own}/${version}`);
    if (remote === undefined) {
      await this.#report(name, LOCAL);
      return true;
    }
    const finding = await findingOf(this.#options.resources, service, remote.backend);
    if (finding.status === 'True') {
      if (await remote.documents.refresh()) this.#changed();
      await this.#report(name, finding);
      return true;
    }
    const isReached = finding.reason === 'FailedDiscoveryCheck';
    await this.#report(name, finding);
    if (isReached) await this.#refreshUnavailable(remote.documents);
    else remote.documents.expire();
    this.#changed();
    return !isReached;
  }

  /** As upstream: who fails the check may still say what it serves. */
  async #refreshUnavailable(documents: RemoteDocuments): Promise<void> {
    try {
      await documents.refresh();
    } catch {
      documents.expire();
    }
  }

  async #report(name: string, finding: Finding): Promise<void> {
    const now = timestamp(this.#env.clock.now());
    const live = this.#known.get(name);
    if (live === undefined || withFinding(live, finding, now) === undefined) return;
    const context = systemWrite(this.#info, { subresource: 'status' });
    try {
      await this.#options.resources.modify(context, name, (one) => {
        const conditions = withFinding(one, finding, now);
        return conditions === undefined ? one : { ...one, status: { conditions } };
      });
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'NotFound') throw error;
    }
  }
}
