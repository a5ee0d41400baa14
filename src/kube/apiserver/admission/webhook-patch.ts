// What the JSON patch of a webhook makes of an object: it is read by its type again, and what goes wrong is told in the
// words of the library that upstream applies it with.
import { defaultChange } from '#kube/apiserver/strategies.ts';
import { CelFailure } from '#kube/cel/core-values.ts';
import { parseApiVersion, type KubeObject } from '#kube/meta/object.ts';
import { applyPatch } from '#kube/meta/patch.ts';
import { decodeStrict } from '#kube/meta/pruning.ts';
import type { Schema } from '#kube/meta/schema.ts';
import { ApiError } from '#kube/meta/status.ts';
import { goJsonFault } from '#kube/meta/go-json-error.ts';
import { plainNumbers } from '#kube/meta/read-numbers.ts';
import { WebhookFailure } from '#kube/apiserver/webhook-client.ts';
import { numbersOf, parseJson } from '#kube/meta/written-numbers.ts';
import { schemaOfKind } from '#kube/types/registry.ts';
import type { AdmissionRequest } from './request.ts';
import { applySteps, TestFailed, type PatchStep } from './policy-json-patch.ts';

export const internalFault = (message: string): ApiError =>
  new ApiError(500, 'InternalError', `Internal error occurred: ${message}`, {
    causes: [{ message }],
  });

/** `isWritten`: numbers as they are written. Throws WebhookFailure for what is no patch. */
export function patchOperations(text: string, isWritten: boolean): readonly unknown[] {
  const undecodable = (why: string): WebhookFailure =>
    new WebhookFailure(`received undecodable patch in webhook response: ${why}`);
  let operations: unknown;
  try {
    operations = parseJson(text, isWritten);
  } catch (error) {
    throw undecodable(goJsonFault(text) ?? (error as Error).message);
  }
  if (Array.isArray(operations)) return operations;
  const what = typeof operations === 'boolean' ? 'bool' : typeof operations;
  throw undecodable(`json: cannot unmarshal ${what} into Go value of type jsonpatch.Patch`);
}

/** `object` is that of the request. Throws ApiError 500. */
export function patchedByWebhook(
  object: KubeObject,
  operations: readonly unknown[],
  { info, subresource, old }: AdmissionRequest,
  now: number,
): KubeObject {
  const { schema } = info;
  let next: unknown;
  try {
    next = applyPatch({ type: 'json', schema, current: object, patch: operations });
  } catch (error) {
    throw internalFault(faultOf(object, operations) ?? (error as Error).message);
  }
  if (info.customResourceDefinition !== undefined) return next as KubeObject;
  // What is below an object is of another kind.
  const own = object.kind === info.kind ? schema : schemaOf(object);
  if (own === undefined) return next as KubeObject;
  const numbers = numbersOf(operations)?.isWritten === true ? 'written' : 'plain';
  const { value, errors } = decodeStrict(own, next, true, numbers);
  if (errors.length > 0) throw internalFault(errors.join(', '));
  const made = value as KubeObject;
  const { apiVersion, kind } = object;
  const typed = apiVersion === undefined ? { kind } : { apiVersion, kind };
  const whole = { ...made, ...typed, metadata: made.metadata ?? {} };
  // What is taken away is as if nobody had said it.
  if (own === schema) defaultChange(info, whole, subresource, now, old);
  return whole;
}

function schemaOf({ apiVersion = '', kind = '' }: KubeObject): Schema | undefined {
  const { group, version } = parseApiVersion(apiVersion);
  return schemaOfKind(group, version, kind);
}

/** Of a patch that does not fit. */
function faultOf(object: KubeObject, operations: readonly unknown[]): string | undefined {
  const steps = (plainNumbers(operations) as Partial<PatchStep>[]).map((one): PatchStep => ({
    op: one.op ?? 'unknown',
    path: one.path ?? '',
    from: one.from ?? '',
    hasValue: 'value' in one,
    value: one.value ?? null,
  }));
  const pathless = (operations as Partial<PatchStep>[]).find(({ path }) => path === undefined);
  try {
    applySteps(object, steps);
  } catch (error) {
    if (error instanceof TestFailed) return `testing value ${error.message} failed: test failed`;
    if (!(error instanceof CelFailure)) throw error;
    const why = error.message.replace(/^JSON Patch: /, '');
    return pathless === undefined
      ? why
      : `${pathless.op} operation failed to decode path: missing value`;
  }
  return undefined;
}
