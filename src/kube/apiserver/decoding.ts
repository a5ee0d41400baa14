// From a client's body to an object: its kind is checked, its fields are decoded by their types, and
// what the schema does not know is dropped, warned of or refused.
import { apiVersionOf, parseApiVersion, type KubeObject } from '#kube/meta/object.ts';
import { embeddedErrors } from '#kube/apiserver/crd/object-metadata.ts';
import type { Emptied } from '#kube/meta/emptied-fields.ts';
import { decodeStrict } from '#kube/meta/pruning.ts';
import type { NumberForm } from '#kube/meta/read-numbers.ts';
import type { ResourceInfo, ResourceRegistry } from '#kube/meta/resource-info.ts';
import { numbersOf } from '#kube/meta/written-numbers.ts';
import type { Schema } from '#kube/meta/schema.ts';
import { malformedJson, noObject, summary, unrecognized } from './malformed-body.ts';
import { invalidValue } from '#kube/meta/names.ts';
import {
  customProblems,
  patchProblems,
  typedProblems,
  warningsOfProblem,
} from './strict-problems.ts';
import { badRequest, invalid, type ApiError } from '#kube/meta/status.ts';

export interface DecodeContext {
  readonly info: ResourceInfo;
  readonly subresource: string | undefined;
  readonly fieldValidation: 'Ignore' | 'Warn' | 'Strict';
  readonly warnings: string[];
  /** The answer to a body that cannot be decoded, when it is another one than 400. */
  readonly refuse?: ((why: string) => ApiError) | undefined;
  /** How its numbers came here; absent: as JSON. */
  readonly numbers?: NumberForm | undefined;
  /** Nulls are what somebody applied: of custom objects they are judged, and not left out. */
  readonly keepsNulls?: boolean | undefined;
  /** Takes the lists and maps that the client sent empty. */
  readonly emptied?: Emptied[] | undefined;
  /** Of a JSON patch that made the object; another patch has none. Absent: it was sent whole. */
  readonly operations?: readonly unknown[] | 'none' | undefined;
}

/** Only the metadata of custom resources is decoded by type; the rest is checked by their definition. */
function metadataErrors(info: ResourceInfo, raw: Record<string, unknown>): readonly string[] {
  const metadata = info.schema.properties?.['metadata'];
  if (metadata === undefined) return [];
  const name = info.kind;
  const schema: Schema = {
    type: 'object',
    name,
    properties: { metadata },
    preserveUnknownFields: true,
  };
  return decodeStrict(schema, raw).errors;
}

/** The client's object, checked and cleaned; strict clients are told of unknown fields by an error. */
export function decodeObject(
  registry: ResourceRegistry,
  context: DecodeContext,
  body: unknown,
  duplicates: readonly string[],
): KubeObject {
  const { info, fieldValidation } = context;
  if (body === undefined) throw unrecognized(info.kind, malformedJson(''));
  if (typeof body !== 'object' || Array.isArray(body)) throw noObject(info.kind, body);
  const raw = (body ?? {}) as Record<string, unknown>;
  const expected = apiVersionOf(info);
  const { kind } = raw;
  // A group without a name may be written, too.
  const apiVersion = raw['apiVersion'] === `/${expected}` ? expected : raw['apiVersion'];
  if (info.customResourceDefinition !== undefined) checkCustomKind(info, raw, expected);
  if (kind !== undefined && kind !== info.kind) {
    throw badRequest(wrongKind(registry, info, String(kind), String(apiVersion ?? expected)));
  }
  if (apiVersion !== undefined && apiVersion !== expected) {
    throw badRequest(wrongKind(registry, info, info.kind, String(apiVersion)));
  }
  const isCustom = info.customResourceDefinition !== undefined;
  const keepsNulls = isCustom && context.keepsNulls === true;
  const decoded = decodeStrict(info.schema, raw, !isCustom, context.numbers, keepsNulls);
  const head = `${info.kind} in version "${info.version}" cannot be handled as a ${info.kind}`;
  const errors = isCustom
    ? [...metadataErrors(info, raw), ...embeddedErrors(info.schema, decoded.value)]
    : decoded.errors;
  const refuse = context.refuse ?? ((why) => badRequest(`${head}: ${why}`));
  if (errors.length > 0) throw refuse(errors.join(', '));
  checkNumbers(isCustom, { body, decoded: decoded.value }, refuse);
  const found = { unknown: decoded.unknown, duplicates };
  const { operations } = context;
  const problems =
    operations !== undefined
      ? patchProblems(found, operations === 'none' ? undefined : operations)
      : isCustom
        ? customProblems(info.schema, found)
        : typedProblems(found);
  if (problems.length > 0 && fieldValidation === 'Strict') {
    const strict = `strict decoding error: ${problems.join(', ')}`;
    throw refuse(strict);
  }
  if (fieldValidation === 'Warn') warnOf(context, problems);
  const emptied = decoded.emptied.filter(({ path }) => path.join('.') !== 'metadata.managedFields');
  context.emptied?.splice(0, Infinity, ...emptied);
  const object = decoded.value as KubeObject;
  object.apiVersion = expected;
  object.kind = info.kind;
  object.metadata ??= {};
  // Empty, it says that nobody is to own anything.
  const { managedFields } = (raw['metadata'] ?? {}) as { managedFields?: unknown };
  if (Array.isArray(managedFields) && managedFields.length === 0)
    object.metadata.managedFields = [];
  if (info.schema.properties?.['spec']?.type === 'object' && !isCustom) object['spec'] ??= {};
  return object;
}

/** Each once, also when a patch is made again. */
export function warnOf({ warnings }: DecodeContext, problems: readonly string[]): void {
  for (const one of problems.flatMap(warningsOfProblem))
    if (!warnings.includes(one)) warnings.push(one);
}

/** What has no type is read as float64, which some numbers are too large for; built-in kinds have little of that. */
function checkNumbers(
  isCustom: boolean,
  { body, decoded }: { readonly body: unknown; readonly decoded: unknown },
  refuse: (why: string) => ApiError,
): void {
  const number = numbersOf(body)?.tooLarge;
  if (number === undefined || (!isCustom && isFinite(decoded))) return;
  throw refuse(`json: cannot unmarshal number ${number} into Go value of type float64`);
}

function isFinite(value: unknown): boolean {
  if (typeof value !== 'object' || value === null)
    return typeof value !== 'number' || Number.isFinite(value);
  return Object.values(value).every(isFinite);
}

/** Custom objects say themselves what they are; another kind is a wrong value of the field. */
function checkCustomKind(info: ResourceInfo, raw: Record<string, unknown>, expected: string): void {
  const { kind = '', apiVersion } = raw;
  if (kind === '') {
    const text = JSON.stringify(raw);
    const why = `Object 'Kind' is missing in '${text}'`;
    const what = `the object provided is unrecognized (must be of type ${info.kind})`;
    throw badRequest(`${what}: ${why} (${summary(Buffer.from(text))})`);
  }
  if (typeof apiVersion === 'string' && apiVersion !== expected && kind === info.kind) {
    const why = `does not match the expected API version (${expected})`;
    throw badRequest(`the API version in the data (${apiVersion}) ${why}`);
  }
  if (typeof kind !== 'string' || kind === info.kind) return;
  const { name = '' } = (raw['metadata'] ?? {}) as { name?: string };
  const cause = invalidValue('kind', kind, `must be ${info.kind}`);
  throw invalid({ group: info.group, kind }, name, [cause]);
}

/** What upstream's codec says of a kind that it does not know, or cannot make into this one. */
function wrongKind(
  registry: ResourceRegistry,
  info: ResourceInfo,
  kind: string,
  apiVersion: string,
): string {
  const { group, version } = parseApiVersion(apiVersion);
  const head = `${kind} in version "${version}" cannot be handled as a ${info.kind}`;
  // A Status is known to every group.
  const isStatus = apiVersion === 'v1' && kind === 'Status';
  if (isStatus || registry.byKind(group, version, kind) !== undefined) {
    const own = `${info.group === '' ? 'core' : info.group.split('.')[0]}.${info.kind}`;
    return `${head}: converting (${version}.${kind}) to (${own}): unknown conversion`;
  }
  const scheme = 'pkg/runtime/scheme.go:111';
  return `${head}: no kind "${kind}" is registered for version "${apiVersion}" in scheme "${scheme}"`;
}
