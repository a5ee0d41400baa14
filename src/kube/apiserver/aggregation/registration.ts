// The API services that the server keeps by itself: one for each built-in version, made at the start, and
// one for each version of custom resources, as long as it is served (autoregister of kube-aggregator v0.37).
import type { KubeObject } from '#kube/meta/object.ts';
import { same } from '#base/same.ts';
import { ApiError } from '#kube/meta/status.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { builtInVersions, customPriority, priorityOf } from '#kube/openapi/priorities.ts';
import type { TypeRegistry } from '#kube/types/registry.ts';
import type { Resources } from '#kube/apiserver/resources.ts';
import { systemWrite } from '#kube/apiserver/system-write.ts';

const LABEL = 'kube-aggregator.kubernetes.io/automanaged';
const ON_START = 'onstart';
const CONTINUOUSLY = 'true';

const managedAs = ({ metadata }: KubeObject): string | undefined => metadata.labels?.[LABEL];

interface Wanted {
  readonly group: string;
  readonly version: string;
  readonly priority: { readonly group: number; readonly version: number };
  readonly label: string;
}

function objectOf({ group, version, priority, label }: Wanted): KubeObject {
  return {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: `${version}.${group}`, labels: { [LABEL]: label } },
    spec: {
      ...(group === '' ? {} : { group }),
      version,
      groupPriorityMinimum: priority.group,
      versionPriority: priority.version,
    },
  };
}

/** Changed or gone meanwhile: whoever did that is looked at in its turn. */
function ignoreRace(error: unknown): void {
  const reasons = ['AlreadyExists', 'NotFound', 'Conflict'];
  if (!(error instanceof ApiError) || !reasons.includes(error.reason)) throw error;
}

export class Registration {
  readonly #resources: Resources;
  readonly #registry: TypeRegistry;
  readonly #info: ResourceInfo;
  readonly #known: ReadonlyMap<string, KubeObject>;
  #custom = new Map<string, KubeObject>();

  /** `known`: the API services that are stored, as they are at each moment. */
  constructor(
    resources: Resources,
    registry: TypeRegistry,
    { info, known }: { info: ResourceInfo; known: ReadonlyMap<string, KubeObject> },
  ) {
    this.#resources = resources;
    this.#registry = registry;
    this.#info = info;
    this.#known = known;
  }

  async start(): Promise<void> {
    const wanted = builtInVersions().map(({ group, version }) =>
      objectOf({ group, version, priority: priorityOf(group, version), label: ON_START }),
    );
    await Promise.all(wanted.map((one) => this.#ensure(one)));
    await this.syncCustom();
  }

  /** After definitions, or API services that are kept by us, have changed. */
  async syncCustom(): Promise<void> {
    const before = this.#custom;
    this.#custom = new Map();
    for (const { group, version, customResourceDefinition } of this.#registry.all()) {
      if (customResourceDefinition === undefined) continue;
      const one = objectOf({ group, version, priority: customPriority, label: CONTINUOUSLY });
      const name = one.metadata.name ?? '';
      this.#custom.set(name, before.get(name) ?? one);
    }
    const spurious = [...this.#known].filter(
      ([name, one]) => managedAs(one) === CONTINUOUSLY && !this.#custom.has(name),
    );
    await Promise.all([
      ...[...this.#custom.values()].map((one) => this.#ensure(one)),
      ...spurious.map(([name, one]) => this.#remove(name, one)),
    ]);
  }

  async #ensure(wanted: KubeObject): Promise<void> {
    const { name = '' } = wanted.metadata;
    const live = this.#known.get(name);
    if (live === undefined) {
      await this.#resources
        .create(systemWrite(this.#info), structuredClone(wanted))
        .catch(ignoreRace);
      return;
    }
    const isOurs = managedAs(live) === ON_START || managedAs(live) === CONTINUOUSLY;
    if (!isOurs || same(live['spec'], wanted['spec'])) return;
    const change = (one: KubeObject): KubeObject => ({ ...one, spec: wanted['spec'] });
    await this.#resources.modify(systemWrite(this.#info), name, change).catch(ignoreRace);
  }

  async #remove(name: string, { metadata }: KubeObject): Promise<void> {
    const options = { preconditions: { uid: metadata.uid } };
    await this.#resources.delete(systemWrite(this.#info), name, options as never).catch(ignoreRace);
  }
}
