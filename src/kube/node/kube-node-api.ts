// The node's view of the API server by plain REST calls: objects of pods, tokens, status, deletion,
// events. Nothing but the public Kubernetes API is used.
import type { Env } from '#env/env.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { CallApi } from '#kube/client/api-call.ts';
import { hasCode } from '#kube/client/api-call.ts';
import type { NodeApi, PodEvent, TokenRequest } from './node-api.ts';
import type { NodeInfo } from './node-info.ts';
import { isDecided } from './pod-certificates.ts';
import { podIdentity } from './pod-spec.ts';
import type { Pod } from './pod-spec.ts';
import type { PodStatus } from './pod-state.ts';

export interface NodeApiParts {
  readonly nodeName: string;
  readonly call: CallApi;
  makeCertificateKey: NodeApi['makeCertificateKey'];
  watchCertificates: WatchCertificates;
  /** As last seen by a watch. */
  services(): readonly KubeObject[];
  recordEvent(pod: Pod, event: PodEvent): void;
}

export type WatchCertificates = (
  namespace: string,
  fieldSelector: string,
  handlers: { onObject(object: KubeObject): void; onGone(): void; onSynced(): void },
) => { list(): readonly KubeObject[]; close(): void };

const json = 'application/json';
const strategic = 'application/strategic-merge-patch+json';

export function podPath(namespace: string, name: string): string {
  return `/api/v1/namespaces/${namespace}/pods/${name}`;
}

export class KubeNodeApi implements NodeApi {
  readonly #parts: NodeApiParts;

  constructor(parts: NodeApiParts) {
    this.#parts = parts;
  }

  async #find(path: string): Promise<KubeObject | undefined> {
    try {
      return (await this.#parts.call({ method: 'GET', path })) as KubeObject;
    } catch (error) {
      if (hasCode(error, 404)) return undefined;
      throw error;
    }
  }

  configMap(namespace: string, name: string): Promise<KubeObject | undefined> {
    return this.#find(`/api/v1/namespaces/${namespace}/configmaps/${name}`);
  }

  secret(namespace: string, name: string): Promise<KubeObject | undefined> {
    return this.#find(`/api/v1/namespaces/${namespace}/secrets/${name}`);
  }

  async trustBundles(): Promise<readonly KubeObject[]> {
    const path = '/apis/certificates.k8s.io/v1/clustertrustbundles';
    const list = await this.#find(path);
    return (list?.['items'] ?? []) as readonly KubeObject[];
  }

  serviceAccount(namespace: string, name: string): Promise<KubeObject | undefined> {
    return this.#find(`/api/v1/namespaces/${namespace}/serviceaccounts/${name}`);
  }

  async node(): Promise<KubeObject> {
    const path = `/api/v1/nodes/${this.#parts.nodeName}`;
    return (await this.#parts.call({ method: 'GET', path })) as KubeObject;
  }

  makeCertificateKey(keyType: string): Promise<{ key: string; request: Uint8Array }> {
    return this.#parts.makeCertificateKey(keyType);
  }

  async requestCertificate(body: KubeObject): Promise<KubeObject> {
    const { namespace = '' } = body.metadata;
    const path = `/apis/certificates.k8s.io/v1/namespaces/${namespace}/podcertificaterequests`;
    const call = { method: 'POST', path, body, contentType: json } as const;
    return (await this.#parts.call(call)) as KubeObject;
  }

  async certificateDone(
    { metadata: { namespace = '', name = '', uid } }: KubeObject,
    signal: AbortSignal,
  ): Promise<KubeObject | undefined> {
    const { watchCertificates, nodeName } = this.#parts;
    const done = Promise.withResolvers<KubeObject | undefined>();
    // A node may watch those of its own pods only, and says so.
    const selector = `metadata.name=${name},spec.nodeName=${nodeName}`;
    const isThere = (): boolean => watch.list().some(({ metadata }) => metadata.uid === uid);
    const watch = watchCertificates(namespace, selector, {
      onObject: (object) => {
        if (object.metadata.uid === uid && isDecided(object)) done.resolve(object);
      },
      onGone: () => done.resolve(undefined),
      onSynced: () => {
        if (!isThere()) done.resolve(undefined);
      },
    });
    const giveUp = (): void => done.resolve(undefined);
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) giveUp();
    try {
      return await done.promise;
    } finally {
      signal.removeEventListener('abort', giveUp);
      watch.close();
    }
  }

  async readPod(namespace: string, name: string): Promise<Pod | undefined> {
    return (await this.#find(podPath(namespace, name))) as Pod | undefined;
  }

  async services(): Promise<readonly KubeObject[]> {
    return this.#parts.services();
  }

  async token(request: TokenRequest): Promise<{ token: string; expiresAt: number }> {
    const { namespace, serviceAccount, audiences, expirationSeconds, pod } = request;
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
    const answer = (await this.#parts.call({
      method: 'POST',
      path,
      contentType: json,
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        metadata: { name: serviceAccount, namespace },
        spec: {
          ...(audiences.length === 0 ? {} : { audiences }),
          expirationSeconds,
          boundObjectRef: { apiVersion: 'v1', kind: 'Pod', ...pod },
        },
      },
    })) as { readonly status: { readonly token: string; readonly expirationTimestamp: string } };
    const { token, expirationTimestamp } = answer.status;
    return { token, expiresAt: Date.parse(expirationTimestamp) };
  }

  async writeStatus(pod: Pod, status: PodStatus): Promise<boolean> {
    const { namespace, name, uid } = podIdentity(pod);
    // Merged by type; what is absent has to be removed by name.
    const conditions = status.conditions.map((condition) => ({
      ...condition,
      reason: condition.reason ?? null,
      message: condition.message ?? null,
    }));
    const body = { metadata: { uid }, status: { ...status, conditions } };
    const path = `${podPath(namespace, name)}/status`;
    try {
      await this.#parts.call({ method: 'PATCH', path, body, contentType: strategic });
      return true;
    } catch (error) {
      // Another pod of that name answers the wrong uid with a conflict.
      if (hasCode(error, 404)) return false;
      if (!hasCode(error, 409)) throw error;
      const current = await this.readPod(namespace, name);
      if (current?.metadata.uid !== uid) return false;
      throw error;
    }
  }

  async deletePod(pod: Pod): Promise<void> {
    const { namespace, name, uid } = podIdentity(pod);
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      gracePeriodSeconds: 0,
      preconditions: { uid },
    };
    try {
      const path = podPath(namespace, name);
      await this.#parts.call({ method: 'DELETE', path, body, contentType: json });
    } catch (error) {
      if (!hasCode(error, 404, 409)) throw error;
    }
  }

  recordEvent(pod: Pod, event: PodEvent): void {
    this.#parts.recordEvent(pod, event);
  }

  /** What the node's machine is, into its status. */
  async writeNodeInfo(nodeInfo: NodeInfo): Promise<void> {
    const path = `/api/v1/nodes/${this.#parts.nodeName}/status`;
    const body = { status: { nodeInfo } };
    await this.#parts.call({ method: 'PATCH', path, body, contentType: strategic });
  }

  /** The handler that a RuntimeClass names; undefined when there is no such class. */
  async runtimeHandler(name: string): Promise<string | undefined> {
    const found = await this.#find(`/apis/node.k8s.io/v1/runtimeclasses/${name}`);
    return found === undefined ? undefined : String(found['handler']);
  }
}

/** Does something again, more and more slowly, until it is done. */
export async function untilDone(
  work: () => Promise<void>,
  { timers, log }: Env,
  isOver: () => boolean,
): Promise<void> {
  let delayMs = 200;
  while (!isOver()) {
    try {
      await work();
      return;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      log.warn('The API server did not take a request, will try again', { error: why });
      await new Promise<void>((done) => timers.after(delayMs, done));
      delayMs = Math.min(delayMs * 2, 10_000);
    }
  }
}
