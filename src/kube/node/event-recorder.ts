// Writes the node's events about pods: repeated ones are counted in one object, and a pod that
// floods is held back, as the kubelet's recorder does.
import type { Env } from '#env/env.ts';
import type { CallApi } from '#kube/client/api-call.ts';
import { hasCode } from '#kube/client/api-call.ts';
import type { PodEvent } from './node-api.ts';
import { podIdentity } from './pod-spec.ts';
import type { Pod } from './pod-spec.ts';

interface Known {
  readonly name: string;
  count: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

const knownCountMax = 4096;
const burst = 25;
const msPerToken = 300_000;
const queueLengthMax = 1000;

export class PodEventRecorder {
  readonly #nodeName: string;
  readonly #call: CallApi;
  readonly #env: Env;
  readonly #known = new Map<string, Known>();
  readonly #buckets = new Map<string, Bucket>();
  #queueLength = 0;
  #work: Promise<void> = Promise.resolve();
  #serial = 0;

  constructor(nodeName: string, call: CallApi, env: Env) {
    this.#nodeName = nodeName;
    this.#call = call;
    this.#env = env;
  }

  record(pod: Pod, event: PodEvent): void {
    const now = this.#env.clock.now();
    if (this.#queueLength >= queueLengthMax || !this.#mayPass(podIdentity(pod).uid, now)) return;
    this.#queueLength += 1;
    this.#work = this.#work
      .then(() => this.#write(pod, event, now))
      .catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        this.#env.log.debug('Cannot write an event', { error: why });
      })
      .finally(() => (this.#queueLength -= 1));
  }

  #mayPass(uid: string, now: number): boolean {
    const bucket = this.#buckets.get(uid) ?? { tokens: burst, at: now };
    bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.at) / msPerToken);
    bucket.at = now;
    if (this.#buckets.size > knownCountMax) this.#buckets.clear();
    this.#buckets.set(uid, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  async #write(pod: Pod, event: PodEvent, now: number): Promise<void> {
    const { namespace, name, uid } = podIdentity(pod);
    const { type, reason, message, fieldPath } = event;
    const key = JSON.stringify([uid, type, reason, message, fieldPath]);
    const path = `/api/v1/namespaces/${namespace}/events`;
    const time = `${new Date(now).toISOString().slice(0, 19)}Z`;
    const known = this.#known.get(key);
    if (known !== undefined) {
      known.count += 1;
      const body = { count: known.count, lastTimestamp: time };
      const contentType = 'application/strategic-merge-patch+json';
      try {
        await this.#call({ method: 'PATCH', path: `${path}/${known.name}`, body, contentType });
        return;
      } catch (error) {
        // It had its hour and was removed: a new one begins.
        if (!hasCode(error, 404)) throw error;
      }
    }
    const serial = (this.#serial++ % 0x10000).toString(16).padStart(4, '0');
    const made = { name: `${name}.${now.toString(16)}${serial}`, count: 1 };
    if (this.#known.size > knownCountMax) this.#known.clear();
    this.#known.set(key, made);
    const { resourceVersion } = pod.metadata;
    await this.#call({
      method: 'POST',
      path,
      body: {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: made.name, namespace },
        involvedObject: {
          apiVersion: 'v1',
          kind: 'Pod',
          namespace,
          name,
          uid,
          resourceVersion,
          fieldPath,
        },
        type,
        reason,
        message: message.slice(0, 1024),
        source: { component: 'kubelet', host: this.#nodeName },
        reportingComponent: 'kubelet',
        reportingInstance: this.#nodeName,
        firstTimestamp: time,
        lastTimestamp: time,
        count: 1,
      },
    });
  }
}
