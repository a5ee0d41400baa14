// What the JSON patch of a webhook makes of an object: it is read by its type again, and what goes wrong is told in the
// words of the library that upstream applies it with.
import { defaultChange } from '#kube/apiserver/strategies.ts';
import { CelFailure } from '#kube/cel/core-values.ts';
import { parseApiVersion, type KubeObject } from '#kube/meta/object.ts';
import { applyPatch } from '#kube/meta/patch.ts';
import { decodeStrict } from '#kube/meta/pruning.ts';
import type { Schema } from '#kube/meta/schema.ts';
import { ApiError } from '#kube/meta/status.ts';
import { numbersOf, parseJson } from '#kube/meta/written-numbers.ts';
import { schemaOfKind } from '#kube/types/registry.ts';
import type { AdmissionRequest } from './request.ts';
import { applySteps, TestFailed, type PatchStep } from './policy-json-patch.ts';

export interface Patched {
  readonly object: KubeObject;
  readonly operations: unknown;
}

const internal = (message: string): ApiError =>
  new ApiError(500, 'InternalError', `Internal error occurred: ${message}`, {
    causes: [{ message }],
  });

/** `object` is that of the request. Throws ApiError 500. */
export function patchedByWebhook(
  object: KubeObject,
  { info, subresource, old }: AdmissionRequest,
  { text, now }: { readonly text: string; readonly now: number },
): Patched {
  const isCustom = info.customResourceDefinition !== undefined;
  const operations = read(text, !isCustom);
  const { schema } = info;
  let next: unknown;
  try {
    next = applyPatch({ type: 'json', schema, current: object, patch: operations });
  } catch (error) {
    throw internal(faultOf(object, text) ?? (error as Error).message);
  }
  if (isCustom) return { object: next as KubeObject, operations };
  // What is below an object is of another kind.
  const own = object.kind === info.kind ? schema : schemaOf(object);
  if (own === undefined) return { object: next as KubeObject, operations };
  const numbers = numbersOf(operations)?.isWritten === true ? 'written' : 'plain';
  const { value, errors } = decodeStrict(own, next, true, numbers);
  if (errors.length > 0) throw internal(errors.join(', '));
  const made = value as KubeObject;
  const { apiVersion, kind } = object;
  const typed = apiVersion === undefined ? { kind } : { apiVersion, kind };
  const whole = { ...made, ...typed, metadata: made.metadata ?? {} };
  // What is taken away is as if nobody had said it.
  if (own === schema) defaultChange(info, whole, subresource, now, old);
  return { object: whole, operations };
}

function read(text: string, isWritten: boolean): unknown {
  try {
    return parseJson(text, isWritten);
  } catch (error) {
    throw internal((error as Error).message);
  }
}

function schemaOf({ apiVersion = '', kind = '' }: KubeObject): Schema | undefined {
  const { group, version } = parseApiVersion(apiVersion);
  return schemaOfKind(group, version, kind);
}

/** Of a patch that does not fit. */
function faultOf(object: KubeObject, text: string): string | undefined {
  const operations = parseJson(text);
  if (!Array.isArray(operations)) return undefined;
  const steps = (operations as Partial<PatchStep>[]).map((one): PatchStep => ({
    op: one.op ?? '',
    path: one.path ?? '',
    from: one.from ?? '',
    hasValue: 'value' in one,
    value: one.value ?? null,
  }));
  try {
    applySteps(object, steps);
  } catch (error) {
    if (error instanceof TestFailed) return `testing value ${error.message} failed: test failed`;
    if (error instanceof CelFailure) return error.message.replace(/^JSON Patch: /, '');
    throw error;
  }
  return undefined;
}
