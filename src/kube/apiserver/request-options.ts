// The options of a request that writes (CreateOptions, PatchOptions, DeleteOptions …): what its query
// and body may say, and the answers to what they may not, as apimachinery v0.37 validates them.
import { goQuoted, invalidValue, forbidden, requiredValue, unsupported } from '#kube/meta/names.ts';
import { decodeStrict } from '#kube/meta/pruning.ts';
import { typeSchema } from '#kube/types/registry.ts';
import { badRequest, invalid, type ApiError, type StatusCause } from '#kube/meta/status.ts';
import type { DeleteOptions } from './deletion.ts';
import { parseDuration } from '#kube/meta/go-duration.ts';
import { numberOf } from './lists.ts';

type OptionsKind = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions' | 'DeleteOptions';

function refuse(kind: OptionsKind, causes: readonly StatusCause[]): void {
  if (causes.length > 0) throw invalid({ group: 'meta.k8s.io', kind }, '', causes);
}

/** A number, or ApiError 400. */
function integer(query: URLSearchParams, name: string): number | undefined {
  return numberOf(query, name);
}

/** Go's strings for true are few, and everything else that is there is true as well. */
function boolean(query: URLSearchParams, name: string): boolean | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  return !['false', '0'].includes(text.toLowerCase());
}

/** What is wrong with how long the client says that it waits; undefined when nothing is, or it does not say it. */
export function timeoutFault(query: URLSearchParams): ApiError | undefined {
  const text = query.get('timeout') ?? '';
  const found = text === '' ? 0 : parseDuration(text);
  if (typeof found === 'number') return undefined;
  return badRequest(`invalid timeout specified in the request URL - ${found.why}`);
}

/** How long the client waits; 0 where it does not say it. */
export function timeoutMs(query: URLSearchParams): number {
  const found = parseDuration(query.get('timeout') ?? '');
  return typeof found === 'number' ? found : 0;
}

// ---- writes ----

const MANAGER_BYTES_MAX = 128;

function writeCauses(query: URLSearchParams): StatusCause[] {
  return [...managerCauses(query), ...dryRunCauses(query.getAll('dryRun')), ...levelCauses(query)];
}

function managerCauses(query: URLSearchParams): StatusCause[] {
  const manager = query.get('fieldManager') ?? '';
  const field = 'fieldManager';
  const causes: StatusCause[] = [];
  if (Buffer.byteLength(manager) > MANAGER_BYTES_MAX) {
    const message = `Too long: may not be more than ${MANAGER_BYTES_MAX} bytes`;
    causes.push({ reason: 'FieldValueTooLong', message, field });
  }
  let at = 0;
  for (const character of manager) {
    if (character !== ' ' && /[\p{C}\p{Z}]/u.test(character)) {
      const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
      const message = `Invalid value: ${goQuoted(manager)}: invalid character U+${code} (at position ${at})`;
      causes.push({ reason: 'FieldValueInvalid', message, field });
    }
    at += Buffer.byteLength(character);
  }
  return causes;
}

function dryRunCauses(values: readonly string[]): StatusCause[] {
  return values.every((one) => one === 'All') ? [] : [unsupported('dryRun', values, ['All'])];
}

function levelCauses(query: URLSearchParams): StatusCause[] {
  const level = query.get('fieldValidation') ?? '';
  const known = ['', 'Ignore', 'Strict', 'Warn'];
  return known.includes(level) ? [] : [unsupported('fieldValidation', level, known)];
}

export function checkCreateOptions(query: URLSearchParams): void {
  refuse('CreateOptions', writeCauses(query));
}

/** What a client said of its write, for admission: whatever it did not say is absent. */
export function writeOptions(query: URLSearchParams): Readonly<Record<string, unknown>> {
  const [manager, level] = [query.get('fieldManager'), query.get('fieldValidation')];
  const dryRun = query.getAll('dryRun');
  return {
    ...(dryRun.length === 0 ? {} : { dryRun }),
    ...(manager === null || manager === '' ? {} : { fieldManager: manager }),
    ...(level === null || level === '' ? {} : { fieldValidation: level }),
  };
}

export function checkUpdateOptions(query: URLSearchParams): void {
  refuse('UpdateOptions', writeCauses(query));
}

export function checkPatchOptions(query: URLSearchParams, isApply: boolean): void {
  const causes: StatusCause[] = [];
  if (isApply && (query.get('fieldManager') ?? '') === '') {
    causes.push(requiredValue('fieldManager', 'is required for apply patch'));
  }
  if (!isApply && query.has('force')) {
    causes.push(forbidden('force', 'may not be specified for non-apply patch'));
  }
  refuse('PatchOptions', [...causes, ...writeCauses(query)]);
}

// ---- deletion ----

export interface Deletion extends DeleteOptions {
  readonly isDryRun: boolean;
  /** What was said, for admission. */
  readonly given: Readonly<Record<string, unknown>>;
}

/** The body decides when there is one; throws ApiError for what is wrong with either. */
export function deleteOptionsOf(
  query: URLSearchParams,
  body: unknown,
  isCollection: boolean,
): Deletion {
  const given = body === undefined ? fromQuery(query) : fromBody(body);
  checkDeletion(given, isCollection);
  const { dryRun: names = [], ...rest } = given;
  const said = names.length === 0 ? rest : { ...rest, dryRun: names };
  return { ...given, isDryRun: names.includes('All'), given: said };
}

/** Throws ApiError 422. */
export function checkDeletion(given: Given, isCollection = false): void {
  const { propagationPolicy: policy, orphanDependents, dryRun = [] } = given;
  const causes: StatusCause[] = [];
  const field = 'propagationPolicy';
  if (orphanDependents !== undefined && policy !== undefined) {
    const why = 'orphanDependents and deletionPropagation cannot be both set';
    causes.push(invalidValue(field, policy, why));
  }
  const known = ['Foreground', 'Background', 'Orphan'];
  if (policy !== undefined && !known.includes(policy)) {
    causes.push(unsupported(field, policy, [...known, 'nil']));
  }
  causes.push(...dryRunCauses(dryRun));
  if (given[UNSAFE] === true) {
    for (const other of NOT_WITH_UNSAFE) {
      if (given[other] === undefined) continue;
      causes.push(invalidValue(UNSAFE, true, `cannot be set together with .${other}`));
    }
  }
  refuse('DeleteOptions', causes);
  if (!isCollection || given[UNSAFE] !== true) return;
  const why = 'is not allowed with DELETECOLLECTION, try again after removing the option';
  refuse('DeleteOptions', [invalidValue(UNSAFE, true, why)]);
}

const NOT_WITH_UNSAFE = [
  'propagationPolicy',
  'orphanDependents',
  'gracePeriodSeconds',
  'preconditions',
] as const;

const DELETE_OPTIONS = 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions';

const UNSAFE = 'ignoreStoreReadErrorWithClusterBreakingPotential';

type Given = DeleteOptions & { readonly dryRun?: readonly string[] };

function fromQuery(query: URLSearchParams): Given {
  const grace = integer(query, 'gracePeriodSeconds');
  const orphan = boolean(query, 'orphanDependents');
  const policy = query.get('propagationPolicy');
  const unsafe = boolean(query, UNSAFE);
  const [uid, resourceVersion] = [query.get('uid'), query.get('resourceVersion')];
  const preconditions = {
    ...(uid === null ? {} : { uid }),
    ...(resourceVersion === null ? {} : { resourceVersion }),
  };
  return {
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(orphan === undefined ? {} : { orphanDependents: orphan }),
    ...(policy === null ? {} : { propagationPolicy: policy }),
    ...(Object.keys(preconditions).length === 0 ? {} : { preconditions }),
    ...(unsafe === undefined ? {} : { [UNSAFE]: unsafe }),
    dryRun: query.getAll('dryRun'),
  };
}

function fromBody(body: unknown): Given {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw badRequest("couldn't get version/kind; json parse error: expected an object");
  }
  const { kind, apiVersion } = body as Record<string, unknown>;
  if (kind !== undefined && kind !== 'DeleteOptions') {
    const scheme = 'pkg/runtime/scheme.go:111';
    const type = `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion ?? '')}`;
    throw badRequest(`${type} in scheme "${scheme}"`);
  }
  const decoded = decodeStrict(typeSchema(DELETE_OPTIONS), body);
  const [wrong] = decoded.errors;
  if (wrong !== undefined) throw badRequest(wrong);
  const {
    kind: _kind,
    apiVersion: _version,
    ...options
  } = decoded.value as Record<string, unknown>;
  return options as Given;
}
