// pods/binding and bindings: put a pod on a node, once (kubernetes v1.37, registry/core/pod/storage).
import type { Env } from '#env/env.ts';
import { named } from '#kube/meta/field-rules.ts';
import { requiredValue, unsupported } from '#kube/meta/names.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { ApiError, badRequest, conflict } from '#kube/meta/status.ts';
import { kindAlone } from './kind-alone.ts';
import type { Resources, WriteContext } from './resources.ts';
import { objectKey } from './object-store.ts';
import { timestamp } from './strategies.ts';
import { storageError } from './write-checks.ts';

type Json = Record<string, unknown>;

export const bindingInfo = kindAlone('', 'v1', 'Binding');

/** Throws ApiError for a binding that is none, or none of this pod. */
export function checkBinding(binding: KubeObject, name: string): void {
  if ((binding.metadata.name ?? '') !== name) {
    throw badRequest('name in URL does not match name in Binding object');
  }
  const { kind = '', name: node = '' } = (binding['target'] ?? {}) as Record<string, string>;
  const causes = [
    ...(kind === '' || kind === 'Node'
      ? []
      : [unsupported('target.kind', kind, ['Node', '<empty>'])]),
    ...(node === '' ? [requiredValue('target.name', '')] : []),
    ...(node === '' || (kind !== '' && kind !== 'Node')
      ? []
      : named('target.name', node, 'subdomain')),
  ];
  const words = causes.map(({ field, message }) => `${field}: ${message}`);
  // Upstream tells these as plain errors.
  if (words.length === 1) throw new ApiError(500, '', words[0] ?? '');
  if (words.length > 1) throw new ApiError(500, '', `[${words.join(', ')}]`);
}

/** `context` is of pods. The binding has been admitted. */
export async function bind(
  resources: Resources,
  context: WriteContext,
  binding: KubeObject,
  env: Env,
): Promise<Json> {
  const { name = '', uid, resourceVersion, annotations, labels } = binding.metadata;
  const node: unknown = binding['target']?.name;
  const refuse = (why: string): ApiError =>
    conflict({ group: '', resource: 'pods/binding' }, name, why);
  const change = (pod: KubeObject): KubeObject => {
    const { metadata } = pod;
    const spec = pod['spec'] as Json;
    checkPrecondition(context, name, ['UID', uid, metadata.uid]);
    checkPrecondition(context, name, [
      'ResourceVersion',
      resourceVersion,
      metadata.resourceVersion,
    ]);
    if (metadata.deletionTimestamp !== undefined) {
      throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
    }
    if (spec['nodeName']) {
      throw refuse(`pod ${name} is already assigned to node "${String(spec['nodeName'])}"`);
    }
    const gates = (spec['schedulingGates'] ?? []) as Json[];
    if (gates.length > 0) throw refuse(`pod ${name} has non-empty .spec.schedulingGates`);
    spec['nodeName'] = node;
    pod['status'] = scheduled((pod['status'] ?? {}) as Json, timestamp(env.clock.now()));
    if (annotations !== undefined)
      metadata.annotations = { ...metadata.annotations, ...annotations };
    if (labels !== undefined) metadata.labels = { ...metadata.labels, ...labels };
    return pod;
  };
  const options = { skipTracking: true, skipValidation: true };
  const own = { ...context, subresource: 'binding', isAdmitted: true };
  await resources.modify(own, name, change, options);
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
}

function checkPrecondition(
  { info, namespace }: WriteContext,
  name: string,
  [what, wanted, actual]: readonly [string, string | undefined, string | undefined],
): void {
  if (wanted === undefined || wanted === '' || wanted === actual) return;
  const why = `Precondition failed: ${what} in precondition: ${wanted}, ${what} in object meta: ${actual}`;
  throw conflict(info, name, storageError(objectKey(info, namespace, name), why));
}

function scheduled(status: Json, lastTransitionTime: string): Json {
  const { nominatedNodeName: _nominated, ...rest } = status;
  const others = ((status['conditions'] ?? []) as Json[]).filter(
    ({ type }) => type !== 'PodScheduled',
  );
  const own = { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime };
  return { ...rest, conditions: [...others, own] };
}
