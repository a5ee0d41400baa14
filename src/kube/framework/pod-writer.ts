// What the framework writes of pods into the API: bindings, why a pod waits, its end, its removal. An
// API that does not answer is an outcome, or said in the log; nothing is retried here.
import type { Env } from '#env/env.ts';
import { hasCode, type CallApi } from '#kube/client/api-call.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { ATTEMPT_ANNOTATION } from '#kube/meta/task-id.ts';
import type { ApiOutcome } from './core.ts';
import { isOver, lostPodStatus } from './lost-pod.ts';

type Json = Record<string, unknown>;

export interface PodName {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
}

export class PodWriter {
  readonly #call: CallApi;
  readonly #env: Env;

  constructor(call: CallApi, env: Env) {
    this.#call = call;
    this.#env = env;
  }

  async bind(pod: PodName, nodeName: string): Promise<ApiOutcome> {
    const { uid, namespace, name } = pod;
    const body = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, uid },
      target: { apiVersion: 'v1', kind: 'Node', name: nodeName },
    };
    try {
      await this.#call({ method: 'POST', path: `${pathOf(pod)}/binding`, body });
    } catch (error) {
      this.#env.log.warn('Cannot bind a pod', { namespace, name, error });
      return outcomeOf(error);
    }
    const note = `Successfully assigned ${namespace}/${name} to ${nodeName}`;
    void this.#event(pod, { type: 'Normal', reason: 'Scheduled', note });
    return 'done';
  }

  /** By `status`, which schedulers may write. */
  async noteAttempt(pod: PodName, attempt: number): Promise<ApiOutcome> {
    const { uid, namespace, name } = pod;
    const annotations = { [ATTEMPT_ANNOTATION]: String(attempt) };
    try {
      await this.#call({
        method: 'PATCH',
        path: `${pathOf(pod)}/status`,
        contentType: 'application/strategic-merge-patch+json',
        body: { metadata: { uid, annotations } },
      });
      return 'done';
    } catch (error) {
      this.#env.log.warn('Cannot number the launch of a pod', { namespace, name, error });
      return outcomeOf(error);
    }
  }

  /** Condition PodScheduled=False, and an event. */
  async markUnschedulable(pod: PodName, message: string): Promise<void> {
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      lastTransitionTime: this.#now,
    };
    await this.#patchStatus(pod, { conditions: [condition] });
    await this.#event(pod, { type: 'Warning', reason: 'FailedScheduling', note: message });
  }

  /** Unless it has ended in some way already. */
  async fail(pod: PodName, why: { reason: string; message: string }): Promise<void> {
    const { namespace, name } = pod;
    try {
      const found = await this.#call({ method: 'GET', path: pathOf(pod) });
      if (isOver(found as KubeObject)) return;
      const status = lostPodStatus(found as KubeObject, { ...why, now: this.#now });
      await this.#patchStatus(pod, status);
    } catch (error) {
      if (!hasCode(error, 404))
        this.#env.log.warn('Cannot read a pod that has failed', { namespace, name, error });
    }
  }

  async remove(pod: PodName): Promise<void> {
    const { uid, namespace, name } = pod;
    const body = { gracePeriodSeconds: 0, preconditions: { uid } };
    try {
      await this.#call({ method: 'DELETE', path: pathOf(pod), body });
    } catch (error) {
      if (!hasCode(error, 404, 409))
        this.#env.log.warn('Cannot remove a pod', { namespace, name, error });
    }
  }

  get #now(): string {
    return new Date(this.#env.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
  }

  async #patchStatus(pod: PodName, status: Json): Promise<void> {
    const { uid, namespace, name } = pod;
    try {
      await this.#call({
        method: 'PATCH',
        path: `${pathOf(pod)}/status`,
        contentType: 'application/strategic-merge-patch+json',
        body: { metadata: { uid }, status },
      });
    } catch (error) {
      if (!hasCode(error, 404, 409))
        this.#env.log.warn('Cannot write a pod status', { namespace, name, error });
    }
  }

  async #event(
    { uid, namespace, name }: PodName,
    { type, reason, note }: { type: string; reason: string; note: string },
  ): Promise<void> {
    const now = this.#now;
    const random = this.#env.random.uuid().slice(0, 18).replaceAll('-', '');
    const body = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.${random}`, namespace },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
      reason,
      message: note,
      type,
      source: { component: 'default-scheduler' },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
    const path = `/api/v1/namespaces/${namespace}/events`;
    try {
      await this.#call({ method: 'POST', path, body });
    } catch (error) {
      this.#env.log.debug('Cannot write an event', { error });
    }
  }
}

function outcomeOf(error: unknown): ApiOutcome {
  // 422: of that name there is another, whose uid cannot be changed to this one's.
  return hasCode(error, 404, 409, 422) ? 'refused' : 'failed';
}

function pathOf({ namespace, name }: PodName): string {
  return `/api/v1/namespaces/${namespace}/pods/${name}`;
}
