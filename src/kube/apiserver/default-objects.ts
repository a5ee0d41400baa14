// What a cluster cannot be without, however often somebody deletes it: the ServiceCIDR `kubernetes` of the server's own
// ranges, and the service `default/kubernetes`, by which clients in the cluster find API servers (kubernetes v1.37:
// defaultservicecidr, kubernetesservice). Both stay as they are when the server is told other ranges later.
import { same } from '#base/same.ts';
import type { Env, Timer } from '#env/env.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { ensure, systemContext } from './bootstrap.ts';
import { ownAddress } from './cidr.ts';
import type { Handler } from './handler.ts';

const NAME = 'kubernetes';
const CONTROLLER = 'kubernetes-service-cidr-controller';
const CIDR_VERSION = 'networking.k8s.io/v1';
const INTERVAL_MS = 10_000;

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

const cidrsOf = (range: KubeObject): readonly string[] => (range['spec']?.cidrs ?? []) as string[];

/** As Go prints a list. */
const shown = (texts: readonly string[]): string => `[${texts.join(' ')}]`;

export class DefaultObjects {
  readonly #handler: Handler;
  readonly #cidrs: readonly string[];
  readonly #env: Pick<Env, 'random'>;
  /** What has been told once is not told again. */
  readonly #told = new Set<string>();

  /** `cidrs`: the ranges that this server was told of. */
  constructor(handler: Handler, cidrs: readonly string[], env: Pick<Env, 'random'>) {
    this.#handler = handler;
    this.#cidrs = cidrs;
    this.#env = env;
  }

  /** The range first: the address of the service is one of it. */
  async ensure(): Promise<void> {
    await this.#ensureRange();
    await this.#ensureService();
  }

  async #ensureService(): Promise<void> {
    const [cidr = ''] = this.#cidrs;
    await ensure(this.#handler, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: NAME,
        namespace: 'default',
        labels: { component: 'apiserver', provider: 'kubernetes' },
      },
      spec: {
        type: 'ClusterIP',
        clusterIP: ownAddress(cidr),
        ipFamilyPolicy: 'SingleStack',
        sessionAffinity: 'None',
        ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }],
      },
    });
  }

  async #ensureRange(): Promise<void> {
    const cidrs = this.#cidrs;
    const wanted: KubeObject = {
      apiVersion: CIDR_VERSION,
      kind: 'ServiceCIDR',
      metadata: { name: NAME },
      spec: { cidrs: [...cidrs] },
    };
    await ensure(this.#handler, wanted, (live) => {
      const [first, ...more] = cidrsOf(live);
      const isGrown = cidrs.length === 2 && more.length === 0 && first === cidrs[0];
      return isGrown ? { ...live, spec: { ...live['spec'], cidrs: [...cidrs] } } : live;
    });
    const range = await this.#handler.resources.get(
      'networking.k8s.io',
      'servicecidrs',
      undefined,
      NAME,
    );
    if (range !== undefined) await this.#judge(range);
  }

  /** That it is ready is said by whoever comes first; that it is not what the server was told, once. */
  async #judge(range: KubeObject): Promise<void> {
    if (range.metadata.deletionTimestamp !== undefined) return;
    const cidrs = this.#cidrs;
    if (!same(cidrsOf(range), cidrs)) {
      const why = `does not match the controller flag configurations ${shown(cidrs)}`;
      const message = `The default ServiceCIDR ${shown(cidrsOf(range))} ${why}`;
      return await this.#tell(range, 'KubernetesDefaultServiceCIDRInconsistent', message);
    }
    const conditions = (range['status']?.conditions ?? []) as readonly Condition[];
    const ready = conditions.find(({ type }) => type === 'Ready');
    if (ready?.status === 'False') {
      const message = `Configuration matches, but ${ready.message ?? ''}`;
      return await this.#tell(range, ready.reason ?? '', message);
    }
    if (ready?.status !== 'True') await this.#makeReady(range);
  }

  async #makeReady(range: KubeObject): Promise<void> {
    const context = {
      ...systemContext(this.#handler, range),
      subresource: 'status',
      fieldManager: CONTROLLER,
    };
    const message = 'Kubernetes default Service CIDR is ready';
    const lastTransitionTime = this.#handler.now();
    const ready = { type: 'Ready', status: 'True', message, lastTransitionTime };
    const { apiVersion, kind } = range;
    const patch = { apiVersion, kind, metadata: { name: NAME }, status: { conditions: [ready] } };
    await this.#handler.resources.patch(context, NAME, { type: 'apply', patch, force: true });
  }

  async #tell(range: KubeObject, reason: string, message: string): Promise<void> {
    if (this.#told.has(reason)) return;
    this.#told.add(reason);
    const now = this.#handler.now();
    const { uid, resourceVersion } = range.metadata;
    const suffix = Math.floor(this.#env.random.next() * 2 ** 48).toString(16);
    await ensure(this.#handler, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${NAME}.${suffix}`, namespace: 'default' },
      involvedObject: {
        apiVersion: CIDR_VERSION,
        kind: 'ServiceCIDR',
        name: NAME,
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
      type: 'Warning',
      reason,
      message,
      source: { component: CONTROLLER },
      reportingComponent: CONTROLLER,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
    });
  }
}

/** Looks after them until it is closed. */
export class DefaultObjectsLoop {
  readonly #ensure: () => Promise<void>;
  readonly #env: Pick<Env, 'timers' | 'log'>;
  #timer: Timer | undefined;
  #working: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(ensureAll: () => Promise<void>, env: Pick<Env, 'timers' | 'log'>) {
    this.#ensure = ensureAll;
    this.#env = env;
    this.#later();
  }

  #later(): void {
    if (this.#isClosed) return;
    this.#timer = this.#env.timers.after(INTERVAL_MS, () => {
      this.#working = this.#ensure()
        .catch((error: unknown) => {
          this.#env.log.warn('Cannot keep the service of the API server', { error });
        })
        .finally(() => this.#later());
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#working;
  }
}
