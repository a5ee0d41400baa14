// The rules of a schema (x-kubernetes-validations) when a definition is written: what a rule must have, whether
// it can be compiled, and whether the most that it can cost is within bounds. Words as apiextensions v0.37.
import { invalidValue, forbidden, requiredValue, unsupported } from '#kube/meta/names.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { compileRules, costMax, type CompiledNode, type CompiledRule } from './expression-rules.ts';
import { fieldPathOf } from './field-path.ts';
import { isObject, valuesOf, type JsonSchema, type ValidationRule } from './json-schema.ts';

/** What the rule itself must have; whether it can be compiled is asked after everything else. */
export function checkRule(rule: ValidationRule, schema: JsonSchema, field: string): StatusCause[] {
  const { message = '', messageExpression, reason, fieldPath } = rule;
  const [trimmed, text] = [message.trim(), (rule.rule ?? '').trim()];
  const causes: StatusCause[] = [];
  if (text === '') causes.push(requiredValue(`${field}.rule`, 'rule is not specified'));
  else if (message !== '' && trimmed === '') {
    causes.push(invalidValue(`${field}.message`, message, 'must be non-empty if specified'));
  } else if (/[\n\r]/.test(trimmed)) {
    causes.push(invalidValue(`${field}.message`, message, 'must not contain line breaks'));
  } else if (/[\n\r]/.test(text) && trimmed === '') {
    causes.push(
      requiredValue(`${field}.message`, 'message must be specified if rule contains line breaks'),
    );
  }
  if (
    messageExpression !== undefined &&
    messageExpression !== '' &&
    messageExpression.trim() === ''
  ) {
    const why = 'messageExpression must be non-empty if specified';
    causes.push(requiredValue(`${field}.messageExpression`, why));
  }
  const reasons = [
    'FieldValueDuplicate',
    'FieldValueForbidden',
    'FieldValueInvalid',
    'FieldValueRequired',
  ];
  if (reason !== undefined && !reasons.includes(reason))
    causes.push(unsupported(`${field}.reason`, reason, reasons));
  if (
    fieldPath !== undefined &&
    fieldPath !== '' &&
    typeof fieldPathOf(fieldPath, schema) === 'string'
  ) {
    causes.push(invalidValue(`${field}.fieldPath`, fieldPath, 'must be a valid path'));
  }
  return causes;
}

/** A cause about a rule, which Go's encoder prints with its own escapes. */
function ruleCause(field: string, rule: ValidationRule, why: string): StatusCause {
  const shown = {
    Rule: rule.rule,
    Message: rule.message ?? '',
    MessageExpression: rule.messageExpression ?? '',
    Reason: rule.reason ?? null,
    FieldPath: rule.fieldPath ?? '',
    OptionalOldSelf: rule.optionalOldSelf ?? null,
  };
  const text = JSON.stringify(shown)
    .replaceAll('<', '\\u003c')
    .replaceAll('>', '\\u003e')
    .replaceAll('&', '\\u0026');
  return { reason: 'FieldValueInvalid', message: `Invalid value: ${text}: ${why}`, field };
}

// ---- cost ----

/** Of one expression, and of all of a schema, in the worst case. */
const EXPRESSION_COST_MAX = 10_000_000n;
const SCHEMA_COST_MAX = 100_000_000n;
const REQUEST_BYTES_MAX = 3 * 1024 * 1024;
const SHOWN_MAX = 4;

/** How far above the limit, in as many digits as make the difference seen. */
function factorText(cost: bigint, limit: bigint): string {
  const factor = Number(cost) / Number(limit);
  if (factor > 100) return 'more than 100x';
  if (factor < 1.5) return `${factor.toFixed(6)}x`;
  // Go rounds what lies in the middle to the even digit.
  const tenths = factor * 10;
  const isMiddle = tenths % 1 === 0.5;
  return `${(isMiddle ? Math.round(tenths / 2) / 5 : factor).toFixed(1)}x`;
}

function costText(what: string, cost: bigint, limit: bigint): string {
  return `${what} exceeds budget by factor of ${factorText(cost, limit)} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}

/** How many values of the schema a value of the one around it can hold; undefined when nothing bounds it. */
function elementsMax(schema: JsonSchema): bigint | undefined {
  const isMap = schema.type === 'object' && schema.additionalProperties !== undefined;
  if (!isMap && schema.type !== 'array') return 1n;
  const most = isMap ? schema.maxProperties : schema.maxItems;
  if (most === undefined) return undefined;
  const bound = BigInt(most);
  return bound > 0n ? bound : 0n;
}

interface Place {
  readonly field: string;
  readonly isResource: boolean;
  /** How many such values one object can hold; undefined when only the size of a request bounds it. */
  readonly count: bigint | undefined;
  /** The list or map whose items have no old ones to be compared with. */
  readonly uncorrelated?: string | undefined;
}

class RuleCheck {
  readonly #isUnchanged: boolean;
  #total = 0n;
  #dearest: { readonly field: string; readonly cost: bigint }[] = [];

  constructor(isUnchanged: boolean) {
    this.#isUnchanged = isUnchanged;
  }

  /** Of the values inside first, as the real server goes. */
  node(schema: JsonSchema, at: Place): StatusCause[] {
    return [...this.#inside(schema, at), ...this.#own(schema, at)];
  }

  #inside(schema: JsonSchema, at: Place): StatusCause[] {
    const causes: StatusCause[] = [];
    const each = elementsMax(schema);
    const count = at.count === undefined || each === undefined ? undefined : at.count * each;
    const below = (inner: JsonSchema, path: string, uncorrelated = at.uncorrelated): void => {
      const isResource = inner['x-kubernetes-embedded-resource'] === true;
      const field = `${at.field}.${path}`;
      causes.push(...this.node(inner, { field, isResource, count, uncorrelated }));
    };
    const values = valuesOf(schema);
    if (values !== undefined) below(values, 'additionalProperties');
    const isAtomic = schema['x-kubernetes-map-type'] === 'atomic';
    const within = at.uncorrelated ?? (isAtomic ? at.field : undefined);
    for (const [key, one] of Object.entries(schema.properties ?? {})) {
      below(one, `properties[${key}]`, within);
    }
    if (isObject(schema.items)) {
      const isKeyed = schema['x-kubernetes-list-type'] === 'map';
      below(schema.items, 'items', at.uncorrelated ?? (isKeyed ? undefined : at.field));
    }
    return causes;
  }

  #own(schema: JsonSchema, at: Place): StatusCause[] {
    if ((schema['x-kubernetes-validations'] ?? []).length === 0) return [];
    const field = `${at.field}.x-kubernetes-validations`;
    const node = compileRules(schema, at.isResource);
    if (node === undefined) {
      const why =
        'internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations';
      return [{ reason: 'InternalError', message: `Internal error: ${why}`, field }];
    }
    const bySize = BigInt(Math.floor(REQUEST_BYTES_MAX / (node.type.sizeMin + 1)));
    const { uncorrelated, count = bySize } = at;
    return node.rules.flatMap((one, i) =>
      this.#rule(node, one, `${field}[${i}]`, { count, uncorrelated }),
    );
  }

  #rule(
    node: CompiledNode,
    compiled: CompiledRule,
    at: string,
    { count, uncorrelated }: { readonly count: bigint; readonly uncorrelated: string | undefined },
  ): StatusCause[] {
    const { rule, error, messageError, usesOld } = compiled;
    const causes = this.#cost(`${at}.rule`, 'rule', costMax(node, compiled.program) * count);
    if (error !== undefined) causes.push(ruleCause(`${at}.rule`, rule, error));
    const messageAt = `${at}.messageExpression`;
    if (messageError !== undefined) causes.push(ruleCause(messageAt, rule, messageError));
    else
      causes.push(...this.#cost(messageAt, 'messageExpression', costMax(node, compiled.message)));
    if (usesOld && uncorrelated !== undefined) {
      const why = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelated}`;
      causes.push(invalidValue(`${at}.rule`, rule.rule, why));
    }
    if (!usesOld && error === undefined && rule.optionalOldSelf !== undefined) {
      const why = 'may not be set if oldSelf is not used in rule';
      causes.push(invalidValue(`${at}.optionalOldSelf`, rule.optionalOldSelf, why));
    }
    return causes;
  }

  #cost(field: string, what: string, cost: bigint): StatusCause[] {
    this.#total += cost;
    if (cost >= SCHEMA_COST_MAX / 100n) {
      this.#dearest.push({ field, cost });
      this.#dearest.sort((a, b) => (a.cost < b.cost ? 1 : a.cost > b.cost ? -1 : 0));
      this.#dearest = this.#dearest.slice(0, SHOWN_MAX);
    }
    if (this.#isUnchanged || cost <= EXPRESSION_COST_MAX) return [];
    return [forbidden(field, costText(`estimated ${what} cost`, cost, EXPRESSION_COST_MAX))];
  }

  total(field: string): StatusCause[] {
    if (this.#total <= SCHEMA_COST_MAX) return [];
    const why =
      'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema';
    const all = 'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema';
    return [
      ...this.#dearest.map((one) => forbidden(one.field, why)),
      forbidden(field, costText(all, this.#total, SCHEMA_COST_MAX)),
    ];
  }
}

/**
 * Rules of the whole schema, once nothing else is wrong with it. What was stored before is not held against
 * single rules of a schema that is as it was.
 */
export function checkRules(schema: JsonSchema, field: string, isUnchanged: boolean): StatusCause[] {
  const check = new RuleCheck(isUnchanged);
  const causes = check.node(schema, { field, isResource: true, count: 1n });
  return [...causes, ...check.total(field)];
}
