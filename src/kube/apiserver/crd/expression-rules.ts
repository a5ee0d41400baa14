// The rules of a schema (x-kubernetes-validations): compiled once for each definition, evaluated on every
// write. What does not change is not held against an object, as upstream ratchets it.
import { CelFailure, Optional } from '#kube/cel/core-values.ts';
import { CALL_COST_MAX, CostExceeded, TOTAL_COST_MAX } from '#kube/cel/cost.ts';
import { declaredValue, DeclaredTypes, type Declared } from '#kube/cel/declared-types.ts';
import type { Environment } from '#kube/cel/environment.ts';
import {
  baseEnvironment,
  compile,
  CompileError,
  failureText,
  type Program,
} from '#kube/cel/program.ts';
import { optionalOf } from '#kube/cel/types.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { isUnchangedBy, oldItemFor } from './correlation.ts';
import { fieldPathOf } from './field-path.ts';
import { isObject, join, valuesOf, type JsonSchema, type ValidationRule } from './json-schema.ts';

export interface CompiledRule {
  readonly rule: ValidationRule;
  readonly program?: Program;
  readonly message?: Program;
  /** Why the rule, or its messageExpression, is none. */
  readonly error?: string;
  readonly messageError?: string;
  readonly usesOld: boolean;
}

export interface CompiledNode {
  readonly type: Declared;
  readonly rules: readonly CompiledRule[];
}

/** The most that one run of a rule's program costs, on any value of the schema. */
export function costMax(node: CompiledNode, program?: Program): bigint {
  return program?.estimate(node.type) ?? 0n;
}

function compileRule(env: Environment, rule: ValidationRule): CompiledRule {
  let program: Program | undefined;
  try {
    program = compile(env, rule.rule);
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return { rule, usesOld: false, error: `compilation failed: ${error.message}` };
  }
  const usesOld = program.names.has('oldSelf');
  if (program.type !== 'bool') {
    return { rule, usesOld: false, error: 'cel expression must evaluate to a bool' };
  }
  if (program.failure !== undefined) {
    return { rule, usesOld, error: `program instantiation failed: ${program.failure}` };
  }
  if (rule.messageExpression === undefined) return { rule, program, usesOld };
  try {
    const message = compile(env, rule.messageExpression);
    const { type, failure } = message;
    if (type !== 'string') {
      const messageError = 'messageExpression must evaluate to a string';
      return { rule, program, usesOld, messageError };
    }
    if (failure === undefined) return { rule, program, message, usesOld };
    const messageError = `messageExpression instantiation failed: ${failure}`;
    return { rule, program, usesOld, messageError };
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    const messageError = `messageExpression compilation failed: ${error.message}`;
    return { rule, program, usesOld, messageError };
  }
}

/** undefined for a schema that expressions cannot see. */
export function compileRules(schema: JsonSchema, isResource: boolean): CompiledNode | undefined {
  const env = baseEnvironment().clone();
  const type = new DeclaredTypes(env).declare(schema, 'selfType', isResource);
  if (type === undefined) return undefined;
  const plain = env.clone();
  plain.variable('self', type.celType);
  const optional = plain.clone();
  plain.variable('oldSelf', type.celType);
  optional.variable('oldSelf', optionalOf(type.celType));
  const rules = (schema['x-kubernetes-validations'] ?? [])
    .filter(({ rule = '' }) => rule.trim() !== '')
    .map((rule) => compileRule(rule.optionalOldSelf === true ? optional : plain, rule));
  return { type, rules };
}

const compiled = new WeakMap<JsonSchema, CompiledNode | 'none'>();
const containing = new WeakMap<JsonSchema, boolean>();

function compiledOf(schema: JsonSchema, isResource: boolean): CompiledNode | undefined {
  let known = compiled.get(schema);
  if (known === undefined) {
    known = compileRules(schema, isResource) ?? 'none';
    compiled.set(schema, known);
  }
  return known === 'none' ? undefined : known;
}

/** Whether there are rules in the schema or below. */
function hasRules(schema: JsonSchema): boolean {
  let known = containing.get(schema);
  if (known !== undefined) return known;
  const inner = [...Object.values(schema.properties ?? {}), valuesOf(schema), schema.items];
  const hasOwn = (schema['x-kubernetes-validations'] ?? []).length > 0;
  known = hasOwn || inner.some((one) => one !== undefined && hasRules(one));
  containing.set(schema, known);
  return known;
}

interface Place {
  readonly path: string;
  readonly old: unknown;
  /** Whether the value, or what it lies in, is as it was before. */
  readonly isUnchanged: boolean;
}

const reasons: Readonly<Record<string, string>> = {
  FieldValueForbidden: 'Forbidden',
  FieldValueRequired: 'Required value',
  FieldValueDuplicate: 'Duplicate value',
};

function causeOf(
  rule: ValidationRule,
  schema: JsonSchema,
  value: unknown,
  field: string,
  detail: string,
): StatusCause {
  const isWhole = schema.type === 'object' || schema.type === 'array';
  const reason = rule.reason ?? 'FieldValueInvalid';
  const head = reasons[reason] ?? 'Invalid value';
  const shown = isWhole ? '' : `: ${JSON.stringify(value)}`;
  if (reason === 'FieldValueDuplicate') return { reason, field, message: `${head}${shown}` };
  const message = head === 'Invalid value' ? `${head}${shown}: ${detail}` : `${head}: ${detail}`;
  return { reason, field, message };
}

const MESSAGE_BYTES_MAX = 5 * 1024;
const COST_SPENT =
  'validation failed due to running out of cost budget, no further validation rules will be run';

const named = (rule: ValidationRule): string => rule.message?.trim() || rule.rule.trim();

class Evaluation {
  readonly causes: StatusCause[] = [];
  readonly warnings: string[] = [];
  #budget = TOTAL_COST_MAX;

  get isSpent(): boolean {
    return this.#budget < 0;
  }

  #fail(schema: JsonSchema, field: string, detail: string): void {
    const shown = JSON.stringify(schema.type ?? '');
    this.causes.push({
      reason: 'FieldValueInvalid',
      field,
      message: `Invalid value: ${shown}: ${detail}`,
    });
  }

  #stop(schema: JsonSchema, field: string, detail: string): void {
    this.#fail(schema, field, detail);
    this.#budget = -1;
  }

  /** Rules over values that expressions cannot see. */
  #untyped(schema: JsonSchema, field: string): void {
    if ((schema['x-kubernetes-validations'] ?? []).length === 0) return;
    const why = 'failed to convert to declType for CEL validation rules';
    this.#fail(schema, field, `rule compiler initialization error: ${why}`);
  }

  node(schema: JsonSchema, value: unknown, at: Place, isResource: boolean): void {
    if (value === null || value === undefined || this.isSpent || !hasRules(schema)) return;
    this.#own(schema, value, at, isResource);
    if (Array.isArray(value)) this.#items(schema, value, at);
    else if (isObject(value)) this.#fields(schema, value, at);
  }

  #items(schema: JsonSchema, value: readonly unknown[], at: Place): void {
    const { items } = schema;
    if (items === undefined) return;
    const isEmbedded = items['x-kubernetes-embedded-resource'] === true;
    for (const [i, one] of value.entries()) {
      if (this.isSpent) return;
      // A list that was stored when the schema said so: only the type of a list tells the type of its items.
      if (schema.type !== 'array') {
        this.#untyped(items, `${at.path}[${i}]`);
        continue;
      }
      const old = oldItemFor(schema, at.old, one, i);
      const place = placed(at, `${at.path}[${i}]`, items, { value: one, old: old?.value });
      this.node(items, one, place, isEmbedded);
    }
  }

  #fields(schema: JsonSchema, value: Record<string, unknown>, at: Place): void {
    const values = valuesOf(schema);
    for (const [key, one] of Object.entries(value)) {
      const field = schema.properties?.[key] ?? values;
      if (field === undefined) continue;
      if (this.isSpent) return;
      const path = values === undefined ? join(at.path, key) : `${at.path}[${key}]`;
      const old = isObject(at.old) ? at.old[key] : undefined;
      const isEmbedded = field['x-kubernetes-embedded-resource'] === true;
      this.node(field, one, placed(at, path, field, { value: one, old }), isEmbedded);
    }
  }

  #own(schema: JsonSchema, value: unknown, at: Place, isResource: boolean): void {
    if ((schema['x-kubernetes-validations'] ?? []).length === 0) return;
    const node = compiledOf(schema, isResource);
    const field = at.path === '' ? '<nil>' : at.path;
    if (node === undefined) return this.#untyped(schema, field);
    let self: unknown;
    let old: unknown;
    try {
      self = declaredValue(node.type, value);
      old = at.old === undefined || at.old === null ? undefined : declaredValue(node.type, at.old);
    } catch (error) {
      if (!(error instanceof CelFailure)) throw error;
      return this.#fail(schema, field, error.message);
    }
    for (const rule of node.rules) {
      if (this.isSpent) return;
      this.#rule(rule, { schema, value, at, field, self, old });
    }
  }

  #rule(compiledRule: CompiledRule, subject: Subject): void {
    const { rule, program, error, usesOld } = compiledRule;
    const { schema, field, self, old, at, value } = subject;
    if (error !== undefined) return this.#fail(schema, field, `rule compile error: ${error}`);
    if (program === undefined) return;
    const isOptional = rule.optionalOldSelf === true;
    if (usesOld && old === undefined && !isOptional) return;
    const oldSelf = isOptional ? (old === undefined ? Optional.none() : Optional.of(old)) : old;
    const variables = oldSelf === undefined ? { self } : { self, oldSelf };
    const result = program.run(variables, CALL_COST_MAX);
    if (result.error instanceof CostExceeded) {
      const why = `'${result.error.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${named(rule)}`;
      return this.#stop(schema, field, why);
    }
    if (result.cost > this.#budget) return this.#stop(schema, field, COST_SPENT);
    this.#budget -= result.cost;
    if (result.error !== undefined) {
      const why = failureText(result.error);
      const text =
        why === 'no such overload'
          ? `'${why}': call arguments did not match a supported operator, function or macro signature for rule: ${named(rule)}`
          : `${why} evaluating rule: ${named(rule)}`;
      return this.#fail(schema, field, text);
    }
    if (result.value === true) return;
    const place = rule.fieldPath === undefined ? field : fieldOf(at.path, schema, rule.fieldPath);
    const detail =
      this.#message(compiledRule, variables) ??
      (rule.message?.trim() || `failed rule: ${named(rule)}`);
    const cause = causeOf(rule, schema, value, place, detail);
    if (!usesOld && at.isUnchanged) this.warnings.push(`${cause.field ?? ''}: ${cause.message}`);
    else this.causes.push(cause);
  }

  /** undefined when the expression gives no usable text: then there is the message. */
  #message(
    { message }: CompiledRule,
    variables: Readonly<Record<string, unknown>>,
  ): string | undefined {
    if (message === undefined) return undefined;
    const result = message.run(variables, CALL_COST_MAX);
    this.#budget -= result.cost;
    const text = typeof result.value === 'string' ? result.value.trim() : '';
    const isUsable =
      text !== '' && Buffer.byteLength(text) <= MESSAGE_BYTES_MAX && !text.includes('\n');
    return isUsable ? text : undefined;
  }
}

interface Subject {
  readonly schema: JsonSchema;
  readonly value: unknown;
  readonly at: Place;
  readonly field: string;
  readonly self: unknown;
  readonly old: unknown;
}

function fieldOf(path: string, schema: JsonSchema, fieldPath: string): string {
  const found = fieldPathOf(fieldPath, schema);
  if (typeof found === 'string') return path === '' ? '<nil>' : path;
  return path === '' ? found.path : `${path}.${found.path}`;
}

function placed(
  parent: Place,
  path: string,
  schema: JsonSchema,
  { value, old }: { readonly value: unknown; readonly old: unknown },
): Place {
  const isUnchanged = old === undefined ? parent.isUnchanged : isUnchangedBy(schema, old, value);
  return { path, old, isUnchanged };
}

/** What the rules of the schema say against the object; `warnings` is what they said before already. */
export function evaluateRules(
  schema: JsonSchema,
  value: unknown,
  old: unknown,
  isResource = true,
): { readonly causes: readonly StatusCause[]; readonly warnings: readonly string[] } {
  if (!hasRules(schema)) return { causes: [], warnings: [] };
  const evaluation = new Evaluation();
  const isUnchanged = old !== undefined && isUnchangedBy(schema, old, value);
  evaluation.node(schema, value, { path: '', old, isUnchanged }, isResource);
  return evaluation;
}
