// Checks admission policies, their bindings and the conditions of webhooks when they are written: what must
// be there, and that every expression can be compiled and gives what its place needs.
import {
  forbidden,
  duplicate,
  invalidValue,
  nameProblem,
  qualifiedNameProblems,
  requiredValue,
  unsupported,
} from '#kube/meta/names.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { labelSelector, named, oneOf as oneWord } from '#kube/meta/field-rules.ts';
import { resourceRule } from '#kube/meta/validation-webhooks.ts';
import { inBytes } from '#kube/meta/device-rules.ts';
import { same } from '#base/same.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { compileFailure, Expressions, type Compiled } from './expressions.ts';
import {
  compileConditions,
  scopeOf,
  type MatchCondition,
  type PolicySpec,
} from './policy-parts.ts';

type Json = Record<string, unknown>;

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const record = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function oneOf(field: string, value: unknown, words: readonly string[]): StatusCause[] {
  if (value === undefined || value === '') return [requiredValue(field)];
  return words.includes(String(value)) ? [] : [unsupported(field, value, words)];
}

function resourceNames(names: unknown, field: string): StatusCause[] {
  const seen = new Set<unknown>();
  return list(names).flatMap((name, i) => {
    const isTwice = seen.has(name);
    seen.add(name);
    const message = `Duplicate value: ${JSON.stringify(name)}`;
    const twice = { reason: 'FieldValueDuplicate', message, field: `${field}[${i}]` };
    return isTwice ? [twice] : named(`${field}[${i}]`, name, 'path-segment');
  });
}

function checkMatch(match: Json | undefined, field: string, needsRules: boolean): StatusCause[] {
  if (match === undefined) return needsRules ? [requiredValue(field)] : [];
  const causes: StatusCause[] = [];
  const rules = list(match['resourceRules']);
  for (const which of ['resourceRules', 'excludeResourceRules']) {
    list(match[which]).forEach((rule, i) => {
      causes.push(...resourceNames(rule['resourceNames'], `${field}.${which}[${i}].resourceNames`));
    });
  }
  if (needsRules && rules.length === 0) causes.push(requiredValue(`${field}.resourceRules`));
  rules.forEach((rule, i) => causes.push(...resourceRule(rule, `${field}.resourceRules[${i}]`)));
  list(match['excludeResourceRules']).forEach((rule, i) =>
    causes.push(...resourceRule(rule, `${field}.excludeResourceRules[${i}]`)),
  );
  for (const which of ['namespaceSelector', 'objectSelector']) {
    causes.push(...labelSelector(match[which], `${field}.${which}`));
  }
  const [policy, policies] = [match['matchPolicy'], ['Equivalent', 'Exact']];
  if (policy !== undefined && !policies.includes(String(policy))) {
    causes.push(unsupported(`${field}.matchPolicy`, policy, policies));
  }
  return causes;
}

/** That it cannot be compiled, or be run at all. */
function compileCauses(compiled: Compiled, field: string, source: unknown): StatusCause[] {
  if ('error' in compiled) return [invalidValue(field, source, compiled.error)];
  const failure = compileFailure(compiled);
  if (failure === undefined) return [];
  return [{ reason: 'InternalError', message: `Internal error: ${failure}`, field }];
}

/** What is wrong with an expression: that it is missing, cannot be compiled, or gives something else. */
function checkExpression(
  source: unknown,
  field: string,
  wanted: readonly string[],
  compile: (source: string) => Compiled,
  missing: string,
): StatusCause[] {
  const given = text(source);
  if (given.trim() === '') return [requiredValue(field, missing)];
  const compiled = compile(given);
  if ('program' in compiled && !wanted.includes(compiled.program.type)) {
    const which = wanted.length === 1 ? (wanted[0] ?? '') : `one of [${wanted.join(' ')}]`;
    const why = `must evaluate to ${which} but got ${compiled.program.type}`;
    return [invalidValue(field, source, why)];
  }
  return compileCauses(compiled, field, source);
}

const IDENTIFIER = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

function checkVariables(spec: PolicySpec, expressions: Expressions): StatusCause[] {
  const compiled = expressions.variables();
  return (spec.variables ?? []).flatMap(({ name = '', expression = '' }, i) => {
    const field = `spec.variables[${i}]`;
    const causes: StatusCause[] = [];
    if (name === '') causes.push(requiredValue(`${field}.name`, 'name is not specified'));
    else if (!IDENTIFIER.test(name) || reserved.has(name)) {
      causes.push(invalidValue(`${field}.name`, name, 'must be a valid CEL identifier'));
    }
    if (expression.trim() === '')
      causes.push(requiredValue(`${field}.expression`, 'expression is not specified'));
    else causes.push(...compileCauses(compiled[i] as Compiled, `${field}.expression`, expression));
    return causes;
  });
}

const CONDITIONS_MAX = 64;

export function checkConditions(
  conditions: readonly MatchCondition[],
  field: string,
  hasParams: boolean,
): StatusCause[] {
  const causes: StatusCause[] = [];
  if (conditions.length > CONDITIONS_MAX) {
    const message = `Too many: ${conditions.length}: must have at most ${CONDITIONS_MAX} items`;
    causes.push({ reason: 'FieldValueTooMany', message, field });
  }
  const { expressions } = compileConditions([], hasParams);
  const seen = new Set<string>();
  conditions.forEach(({ name, expression }, i) => {
    const at = `${field}[${i}]`;
    causes.push(
      ...checkExpression(
        text(expression).trim(),
        `${at}.expression`,
        ['bool'],
        (one) => expressions.compile(one),
        '',
      ),
    );
    if (text(name) === '') causes.push(requiredValue(`${at}.name`));
    else {
      for (const wrong of qualifiedNameProblems(name))
        causes.push(invalidValue(`${at}.name`, name, wrong));
      if (seen.has(name)) {
        causes.push({
          reason: 'FieldValueDuplicate',
          message: `Duplicate value: ${JSON.stringify(name)}`,
          field: `${at}.name`,
        });
      }
    }
    seen.add(name);
  });
  return causes;
}

function groupVersion(given: string, field: string): StatusCause[] {
  const parts = given.split('/');
  if (parts.length > 2) {
    return [invalidValue(field, given, `unexpected GroupVersion string: ${given}`)];
  }
  const version = parts.at(-1) ?? '';
  const group = parts.length === 2 ? parts[0] : '';
  const causes = named(field, group || undefined, 'subdomain');
  if (version === '') causes.push(invalidValue(field, given, 'version must be specified'));
  else causes.push(...named(field, version, 'label1035'));
  return causes;
}

function checkParamKind(kind: Json | undefined): StatusCause[] {
  if (kind === undefined) return [];
  const field = 'spec.paramKind';
  const causes: StatusCause[] = [];
  const version = text(kind['apiVersion']);
  if (version === '') causes.push(requiredValue(`${field}.apiVersion`));
  else causes.push(...groupVersion(version, `${field}.apiVersion`));
  const own = text(kind['kind']);
  if (own === '') return [...causes, requiredValue(`${field}.kind`)];
  const wrong = nameProblem('label1035', own.toLowerCase());
  if (wrong === undefined) return causes;
  const why = `may have mixed case, but should otherwise match: ${wrong}`;
  return [...causes, invalidValue(`${field}.kind`, own, why)];
}

function checkCommon(spec: PolicySpec & Json, expressions: Expressions): StatusCause[] {
  return [
    ...(spec['failurePolicy'] === undefined
      ? [requiredValue('spec.failurePolicy')]
      : oneWord('spec.failurePolicy', spec['failurePolicy'], ['Fail', 'Ignore'])),
    ...checkParamKind(spec['paramKind'] as Json | undefined),
    ...checkMatch(spec['matchConstraints'] as Json | undefined, 'spec.matchConstraints', true),
    ...checkConditions(
      spec.matchConditions ?? [],
      'spec.matchConditions',
      spec.paramKind !== undefined,
    ),
    ...checkVariables(spec, expressions),
  ];
}

const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge', 'Unauthorized'];

function checkValidation(validation: Json, field: string, expressions: Expressions): StatusCause[] {
  const compile = (one: string): Compiled => expressions.compile(one);
  const compileMessage = (one: string): Compiled => expressions.compileMessage(one);
  const { expression, message, messageExpression, reason } = validation;
  const causes = checkExpression(
    expression,
    `${field}.expression`,
    ['bool'],
    compile,
    'expression is not specified',
  );
  if (messageExpression !== undefined && messageExpression !== '') {
    const at = `${field}.messageExpression`;
    const why = 'must be non-empty if specified';
    if (text(messageExpression).trim() === '')
      causes.push(invalidValue(at, messageExpression, why));
    else causes.push(...checkExpression(messageExpression, at, ['string'], compileMessage, ''));
  }
  const trimmed = text(message).trim();
  if (text(message) !== '' && trimmed === '') {
    causes.push(
      invalidValue(`${field}.message`, message, 'message must be non-empty if specified'),
    );
  } else if (trimmed.includes('\n')) {
    causes.push(invalidValue(`${field}.message`, message, 'message must not contain line breaks'));
  } else if (text(expression).includes('\n') && trimmed === '') {
    causes.push(
      requiredValue(
        `${field}.message`,
        'message must be specified if expression contains line breaks',
      ),
    );
  }
  if (reason !== undefined && !reasons.includes(text(reason))) {
    causes.push(unsupported(`${field}.reason`, reason, reasons.slice(0, 3)));
  }
  return causes;
}

/** Annotations in the audit log are called after the policy. */
function annotationKey(field: string, key: string, name = ''): StatusCause[] {
  if (name === '') return [invalidValue(field, key, 'requires metadata.name be non-empty')];
  const full = `${name}/${key}`;
  return qualifiedNameProblems(full).map((wrong) => invalidValue(field, full, inBytes(wrong)));
}

/** Only what is made or changed can be mutated. */
function mutatedOperations(match: unknown, field: string): StatusCause[] {
  const words = ['*', 'CONNECT', 'CREATE', 'UPDATE'];
  return list(record(match)['resourceRules']).flatMap((rule) =>
    list(rule['operations']).flatMap((one) =>
      oneWord(`${field}.resourceRules.operations`, one, words),
    ),
  );
}

function checkValidatingPolicy(object: KubeObject): StatusCause[] {
  const spec = record(object['spec']) as PolicySpec & Json;
  const expressions = new Expressions(scopeOf(spec, false));
  const causes = checkCommon(spec, expressions);
  const [validations, annotations] = [list(spec['validations']), list(spec['auditAnnotations'])];
  if (validations.length + annotations.length === 0) {
    const why = 'validations or auditAnnotations must contain at least one item';
    causes.push(
      requiredValue('spec.validations', why),
      requiredValue('spec.auditAnnotations', why),
    );
  }
  validations.forEach((one, i) =>
    causes.push(...checkValidation(one, `spec.validations[${i}]`, expressions)),
  );
  const keys = new Set<string>();
  annotations.forEach(({ key, valueExpression }, i) => {
    const field = `spec.auditAnnotations[${i}]`;
    causes.push(...annotationKey(`${field}.key`, text(key), object.metadata.name));
    if (keys.has(text(key))) causes.push(duplicate(`${field}.key`, text(key)));
    keys.add(text(key));
    const compile = (one: string): Compiled => expressions.compile(one);
    const missing = 'valueExpression is not specified';
    causes.push(
      ...checkExpression(
        valueExpression,
        `${field}.valueExpression`,
        ['string', 'null_type'],
        (one) => compile(one.trim()),
        missing,
      ),
    );
  });
  return causes;
}

function checkMutatingPolicy(object: KubeObject): StatusCause[] {
  const spec = record(object['spec']) as PolicySpec & Json;
  const expressions = new Expressions(scopeOf(spec, true));
  const causes = checkCommon(spec, expressions);
  causes.push(...mutatedOperations(spec['matchConstraints'], 'spec.matchConstraints'));
  const mutations = list(spec['mutations']);
  if (mutations.length === 0) {
    causes.push(requiredValue('spec.mutations', 'mutations must contain at least one item'));
  }
  const compile = (one: string): Compiled => expressions.compile(one);
  mutations.forEach((mutation, i) => {
    const field = `spec.mutations[${i}]`;
    const { patchType } = mutation;
    if (patchType === 'ApplyConfiguration' || patchType === 'JSONPatch') {
      const isPatch = patchType === 'JSONPatch';
      const [own, other] = isPatch
        ? ['jsonPatch', 'applyConfiguration']
        : ['applyConfiguration', 'jsonPatch'];
      if (mutation[own] === undefined) {
        causes.push(
          requiredValue(`${field}.${own}`, `must be specified when patchType is ${patchType}`),
        );
      } else {
        const types = isPatch ? ['list(JSONPatch)'] : ['Object'];
        const { expression } = record(mutation[own]);
        causes.push(
          ...checkExpression(
            text(expression).trim(),
            `${field}.${own}.expression`,
            types,
            compile,
            '',
          ),
        );
      }
      if (mutation[other] !== undefined) {
        causes.push(
          invalidValue(
            `${field}.${other}`,
            `{${other}}`,
            `must not be specified when patchType is ${patchType}`,
          ),
        );
      }
    } else
      causes.push(...oneOf(`${field}.patchType`, patchType, ['ApplyConfiguration', 'JSONPatch']));
  });
  causes.push(
    ...oneOf('spec.reinvocationPolicy', spec['reinvocationPolicy'], ['IfNeeded', 'Never']),
  );
  return causes;
}

function checkBinding(object: KubeObject, isValidating: boolean): StatusCause[] {
  const spec = record(object['spec']);
  const causes: StatusCause[] = [];
  const policy = text(spec['policyName']);
  if (policy === '') causes.push(requiredValue('spec.policyName'));
  else causes.push(...named('spec.policyName', policy, 'subdomain'));
  const ref = spec['paramRef'] as Json | undefined;
  if (ref !== undefined) {
    const [name, selector] = [text(ref['name']), ref['selector']];
    if (name === '' && selector === undefined) {
      causes.push(requiredValue('spec.paramRef', 'one of name or selector must be specified'));
    }
    if (name !== '') causes.push(...named('spec.paramRef.name', name, 'path-segment'));
    causes.push(...labelSelector(selector, 'spec.paramRef.selector'));
    if (name !== '' && selector !== undefined) {
      const why = 'name and selector are mutually exclusive';
      causes.push(forbidden('spec.paramRef.name', why), forbidden('spec.paramRef.selector', why));
    }
    causes.push(
      ...oneOf('spec.paramRef.parameterNotFoundAction', ref['parameterNotFoundAction'], [
        'Deny',
        'Allow',
      ]),
    );
  }
  causes.push(
    ...checkMatch(spec['matchResources'] as Json | undefined, 'spec.matchResources', false),
  );
  if (!isValidating) {
    return [...causes, ...mutatedOperations(spec['matchResources'], 'spec.matchResources')];
  }
  const actions = list(spec['validationActions']) as unknown as string[];
  const field = 'spec.validationActions';
  if (actions.length === 0) causes.push(requiredValue(field));
  actions.forEach((one, i) => {
    if (!['Audit', 'Deny', 'Warn'].includes(one)) {
      causes.push(unsupported(`${field}[${i}]`, one, ['Audit', 'Deny', 'Warn']));
    } else if (actions.indexOf(one) < i) {
      const message = `Duplicate value: ${JSON.stringify(one)}`;
      causes.push({ reason: 'FieldValueDuplicate', message, field: `${field}[${i}]` });
    }
  });
  if (actions.includes('Deny') && actions.includes('Warn')) {
    const why =
      'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)';
    causes.push(invalidValue(field, ['Deny', 'Warn'], why));
  }
  return causes;
}

function checkWebhooks(object: KubeObject): StatusCause[] {
  return list(object['webhooks']).flatMap((webhook, i) => {
    const conditions = (webhook['matchConditions'] ?? []) as MatchCondition[];
    return checkConditions(conditions, `webhooks[${i}].matchConditions`, false);
  });
}

/** Causes for the kinds of admissionregistration.k8s.io; an unchanged spec is not judged again. */
export function validateAdmissionConfiguration(
  object: KubeObject,
  old: KubeObject | undefined,
): StatusCause[] {
  if (
    old !== undefined &&
    same([object['spec'], object['webhooks']], [old['spec'], old['webhooks']])
  )
    return [];
  switch (object.kind) {
    case 'ValidatingAdmissionPolicy':
      return checkValidatingPolicy(object);
    case 'MutatingAdmissionPolicy':
      return checkMutatingPolicy(object);
    case 'ValidatingAdmissionPolicyBinding':
      return checkBinding(object, true);
    case 'MutatingAdmissionPolicyBinding':
      return checkBinding(object, false);
    case 'ValidatingWebhookConfiguration':
    case 'MutatingWebhookConfiguration':
      return checkWebhooks(object);
    default:
      return [];
  }
}
