// Does what cores ask for. Many creations begin with one and double while they succeed, so that a quota
// that is used up costs one refused request and not five hundred.
import type { EventRecorder } from '#kube/client/events.ts';
import type { Expectations } from '#kube/client/expectations.ts';
import { hasReason, type KubeClient } from '#kube/client/client.ts';
import { ApiError } from '#kube/meta/status.ts';
import type { Effect } from './effects.ts';

export interface PerformContext {
  readonly client: KubeClient;
  readonly recorder: EventRecorder;
  readonly expectations: Expectations;
  /** Whose expectations. */
  readonly key: string;
  readonly onFailed?: ((effect: 'create' | 'delete', message: string) => void) | undefined;
}

type Create = Extract<Effect, { kind: 'create' }>;
type Delete = Extract<Effect, { kind: 'delete' }>;

/** Rejects with the first failure, after everything that was begun has ended. */
export async function perform(effects: readonly Effect[], context: PerformContext): Promise<void> {
  for (let index = 0; index < effects.length;) {
    const effect = effects[index];
    if (effect === undefined) return;
    if (effect.kind === 'create' || effect.kind === 'delete') {
      let end = index + 1;
      while (effects[end]?.kind === effect.kind) end += 1;
      const run = effects.slice(index, end);
      index = end;
      if (effect.kind === 'create') await createAll(run as Create[], context);
      else await deleteAll(run as Delete[], context);
      continue;
    }
    index += 1;
    await performOne(effect, context);
  }
}

async function performOne(
  effect: Exclude<Effect, Create | Delete>,
  { client, recorder }: PerformContext,
): Promise<void> {
  switch (effect.kind) {
    case 'event':
      recorder.record(effect.about, effect);
      return;
    case 'update':
      await client.update(effect.resource, effect.object, { subresource: effect.subresource });
      return;
    case 'patch': {
      const { namespace, name = '' } = effect.object.metadata;
      const { type, subresource, fieldManager } = effect;
      const force = type === 'apply' ? true : undefined;
      const options = { namespace, name, type, subresource, fieldManager, force };
      await client.patch(effect.resource, options, effect.patch);
      return;
    }
  }
}

function throwFirst(results: readonly PromiseSettledResult<void>[]): void {
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function createAll(effects: readonly Create[], context: PerformContext): Promise<void> {
  const { expectations, key } = context;
  const expected = effects.filter((one) => one.isExpected === true).length;
  if (expected > 0) expectations.expectCreations(key, expected);
  let size = 1;
  for (let start = 0; start < effects.length; start += size, size *= 2) {
    const batch = effects.slice(start, start + size);
    const results = await Promise.allSettled(batch.map((one) => createOne(one, context)));
    if (results.every(({ status }) => status === 'fulfilled')) continue;
    for (const one of effects.slice(start + size)) {
      if (one.isExpected === true) expectations.creationObserved(key);
    }
    throwFirst(results);
  }
}

/** Nothing can be made in a namespace that is being deleted; that is no failure. */
function isTerminating(error: unknown): boolean {
  if (!(error instanceof ApiError) || error.reason !== 'Forbidden') return false;
  const causes = error.details?.causes ?? [];
  return (
    causes.some(({ reason }) => reason === 'NamespaceTerminating') ||
    error.message.includes('because it is being terminated')
  );
}

async function createOne(effect: Create, context: PerformContext): Promise<void> {
  const { client, recorder, expectations, key } = context;
  const { announce } = effect;
  try {
    const made = await client.create(effect.resource, effect.object);
    if (announce === undefined) return;
    recorder.record(announce.about, {
      type: 'Normal',
      reason: 'SuccessfulCreate',
      message: `Created ${announce.noun}: ${made.metadata.name}`,
    });
  } catch (error) {
    if (effect.isExpected === true) expectations.creationObserved(key);
    if (effect.mayExist === true && hasReason(error, 'AlreadyExists')) return;
    if (isTerminating(error)) return;
    context.onFailed?.('create', (error as Error).message);
    if (announce !== undefined) {
      recorder.record(announce.about, {
        type: 'Warning',
        reason: 'FailedCreate',
        message: `Error creating: ${(error as Error).message}`,
      });
    }
    throw error;
  }
}

async function deleteAll(effects: readonly Delete[], context: PerformContext): Promise<void> {
  const { expectations, key } = context;
  for (const { object, isExpected } of effects) {
    if (isExpected === true) expectations.expectDeletion(key, object.metadata.uid ?? '');
  }
  throwFirst(await Promise.allSettled(effects.map((one) => deleteOne(one, context))));
}

async function deleteOne(effect: Delete, context: PerformContext): Promise<void> {
  const { client, recorder, expectations, key } = context;
  const { announce, object, propagationPolicy, gracePeriodSeconds } = effect;
  const { namespace, name = '', uid, resourceVersion } = object.metadata;
  const preconditions = effect.isVersionChecked === true ? { uid, resourceVersion } : { uid };
  try {
    await client.delete(
      effect.resource,
      { namespace, name },
      { propagationPolicy, gracePeriodSeconds, preconditions },
    );
    if (announce === undefined) return;
    recorder.record(announce.about, {
      type: 'Normal',
      reason: 'SuccessfulDelete',
      message: `Deleted ${announce.noun}: ${name}`,
    });
  } catch (error) {
    if (effect.isExpected === true) expectations.deletionObserved(key, uid ?? '');
    if (hasReason(error, 'NotFound')) return;
    context.onFailed?.('delete', (error as Error).message);
    if (announce !== undefined) {
      recorder.record(announce.about, {
        type: 'Warning',
        reason: 'FailedDelete',
        message: `Error deleting: ${(error as Error).message}`,
      });
    }
    throw error;
  }
}
