// By what API servers of one cluster know each other: a Lease in kube-system for each that runs, named after its
// machine; those that nobody renews any more go (controlplane/controller/leaderelection of kubernetes v1.37).
import { hostname } from 'node:os';
import type { Env, Timer } from '#env/env.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { ensure, systemContext, unlessRefused } from './bootstrap.ts';
import type { Handler } from './handler.ts';
import { COMPONENT, identityName } from './identity-name.ts';

const NAMESPACE = 'kube-system';
const IDENTITY = 'apiserver.kubernetes.io/identity';
const LEASE_SECONDS = 3_600;
/** Upstream writes every ten seconds, for nobody; six times within its time are enough. */
const RENEW_MS = 600_000;
const RETRY_MS = 10_000;

export class IdentityLease {
  readonly #handler: Handler;
  readonly #env: Env;
  readonly #address: string;
  readonly #host: string;
  readonly #holder: string;
  #timer: Timer | undefined;
  #working: Promise<void> = Promise.resolve();
  #isClosed = false;

  private constructor(handler: Handler, address: string, env: Env) {
    this.#handler = handler;
    this.#env = env;
    this.#address = address;
    this.#host = hostname();
    this.#holder = `${identityName(this.#host)}_${env.random.uuid()}`;
  }

  /** `address`: where other servers find this one. Resolves when the lease is there, or is refused for now. */
  static async start(handler: Handler, address: string, env: Env): Promise<IdentityLease> {
    const lease = new IdentityLease(handler, address, env);
    const isThere = await unlessRefused(
      () => lease.#renew(),
      (error) => env.log.warn('Cannot renew the lease of this API server', { error }),
    );
    lease.#renewLater(isThere ? RENEW_MS : RETRY_MS);
    return lease;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#working;
  }

  #renewLater(afterMs: number): void {
    if (this.#isClosed) return;
    this.#timer = this.#env.timers.after(afterMs, () => {
      this.#working = this.#renew()
        .then(() => this.#dropOld())
        .then(() => RENEW_MS)
        .catch((error: unknown) => {
          this.#env.log.warn('Cannot renew the lease of this API server', { error });
          return RETRY_MS;
        })
        .then((nextMs) => this.#renewLater(nextMs));
    });
  }

  async #renew(): Promise<void> {
    const renewTime = new Date(this.#env.clock.now()).toISOString().replace('Z', '000Z');
    const holderIdentity = this.#holder;
    const spec = { holderIdentity, leaseDurationSeconds: LEASE_SECONDS, renewTime };
    const labels = { [IDENTITY]: COMPONENT, 'kubernetes.io/hostname': this.#host };
    const annotations = { 'kubernetes.io/peer-advertise-address': this.#address };
    const name = identityName(this.#host);
    const lease: KubeObject = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace: NAMESPACE, labels, annotations },
      spec,
    };
    await ensure(this.#handler, lease, (live) => ({
      ...live,
      metadata: {
        ...live.metadata,
        labels: { ...live.metadata.labels, ...labels },
        annotations: { ...live.metadata.annotations, ...annotations },
      },
      spec: { ...live['spec'], ...spec },
    }));
  }

  async #dropOld(): Promise<void> {
    const kind = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
    const context = systemContext(this.#handler, { ...kind, metadata: { namespace: NAMESPACE } });
    const now = this.#env.clock.now();
    const { group } = context.info;
    for (const lease of await this.#handler.resources.listReadable(group, 'leases')) {
      const { renewTime, leaseDurationSeconds = 0 } = (lease['spec'] ?? {}) as {
        renewTime?: string;
        leaseDurationSeconds?: number;
      };
      const { labels, namespace } = lease.metadata;
      if (namespace !== NAMESPACE || labels?.[IDENTITY] !== COMPONENT) continue;
      const ends =
        renewTime === undefined ? 0 : Date.parse(renewTime) + leaseDurationSeconds * 1_000;
      if (ends < now) await this.#handler.resources.delete(context, lease.metadata.name ?? '', {});
    }
  }
}
