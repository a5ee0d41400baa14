// What the claims of a token make of its user: names of claims, or expressions over all of them, and rules
// that claims and user have to keep (JWTAuthenticator of apiserver.config.k8s.io/v1).
import { Fault } from '#base/fault.ts';
import { TokenRefusal } from '#kube/apiserver/token-refusal.ts';
import { CREDENTIAL_ID } from '#kube/apiserver/tokens.ts';
import { authenticated, type UserInfo } from '#kube/apiserver/user.ts';
import { baseEnvironment, compile, failureText, type Program } from '#kube/cel/program.ts';
import { DYN } from '#kube/cel/types.ts';
import { dynValue, jsonValue } from '#kube/cel/values.ts';

export interface ClaimOrExpression {
  readonly claim?: string;
  readonly prefix?: string;
  readonly expression?: string;
}

export interface Rule {
  readonly claim?: string;
  readonly requiredValue?: string;
  readonly expression?: string;
  readonly message?: string;
}

export interface JwtRules {
  readonly claimMappings: {
    readonly username: ClaimOrExpression;
    readonly groups?: ClaimOrExpression;
    readonly uid?: ClaimOrExpression;
    readonly extra?: readonly { readonly key: string; readonly valueExpression: string }[];
  };
  readonly claimValidationRules?: readonly Rule[];
  readonly userValidationRules?: readonly Rule[];
}

export type Claims = Readonly<Record<string, unknown>>;

interface Expression {
  readonly source: string;
  readonly program: Program;
  readonly message?: string | undefined;
}

function refuse(why: string): never {
  throw new TokenRefusal(`oidc: ${why}`);
}

/** `field` is for messages. Throws Fault. */
function compiled(variable: 'claims' | 'user', source: string, field: string): Expression {
  const env = baseEnvironment().clone();
  env.variable(variable, DYN);
  try {
    return { source, program: compile(env, source) };
  } catch (error) {
    const why = (error as Error).message;
    throw new Fault(
      { code: 'bad-configuration', field },
      `Cannot use ${field}: compilation failed: ${why}`,
    );
  }
}

function evaluate({ program }: Expression, variables: Readonly<Record<string, unknown>>): unknown {
  const { error, value } = program.run(variables);
  if (error !== undefined) throw new Error(failureText(error));
  return jsonValue(value);
}

const LIST = 'expression must return a string or a list of strings';

/** Empty texts count as nothing. */
function textList(value: unknown): string[] {
  if (typeof value === 'string') return value === '' ? [] : [value];
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value) || value.some((one) => typeof one !== 'string')) throw new Error(LIST);
  return (value as string[]).filter((one) => one !== '');
}

export class ClaimMapping {
  readonly #rules: JwtRules;
  readonly #username: Expression | undefined;
  readonly #groups: Expression | undefined;
  readonly #uid: Expression | undefined;
  readonly #extra: readonly (Expression & { readonly key: string })[];
  readonly #claimRules: readonly Expression[];
  readonly #userRules: readonly Expression[];

  /** `field` is where the rules stand, for messages. Throws Fault for an expression that is none. */
  constructor(rules: JwtRules, field: string) {
    this.#rules = rules;
    const { claimMappings: mappings } = rules;
    const one = (name: 'username' | 'groups' | 'uid'): Expression | undefined => {
      const source = mappings[name]?.expression;
      if (source === undefined || source === '') return undefined;
      return compiled('claims', source, `${field}.claimMappings.${name}.expression`);
    };
    this.#username = one('username');
    this.#groups = one('groups');
    this.#uid = one('uid');
    this.#extra = (mappings.extra ?? []).map(({ key, valueExpression }, i) => ({
      key,
      ...compiled('claims', valueExpression, `${field}.claimMappings.extra[${i}].valueExpression`),
    }));
    const all = (list: readonly Rule[] = [], variable: 'claims' | 'user', name: string) =>
      list.flatMap(({ expression, message }, i) =>
        expression === undefined || expression === ''
          ? []
          : [{ ...compiled(variable, expression, `${field}.${name}[${i}].expression`), message }],
      );
    this.#claimRules = all(rules.claimValidationRules, 'claims', 'claimValidationRules');
    this.#userRules = all(rules.userValidationRules, 'user', 'userValidationRules');
  }

  /** Throws TokenRefusal. */
  user(claims: Claims): UserInfo {
    const value = { claims: dynValue(claims) };
    const name = this.#usernameOf(claims, value);
    const groups = this.#groupsOf(claims, value);
    const uid = this.#uidOf(claims, value);
    const extra = this.#extraOf(claims, value);
    this.#checkClaims(claims, value);
    const plain = { username: name, uid, groups, extra };
    checkRules(this.#userRules, { user: dynValue(plain) }, 'user info validation rule');
    return { ...authenticated(name, groups, uid), extra };
  }

  #usernameOf(claims: Claims, value: Readonly<Record<string, unknown>>): string {
    const { claim = '', prefix = '' } = this.#rules.claimMappings.username;
    if (this.#username !== undefined) {
      const found = attempt('username claim expression', this.#username, value);
      if (typeof found !== 'string') {
        refuse(
          'error evaluating username claim expression: username claim expression must return a string',
        );
      }
      if (found === '') refuse('empty username via CEL expression is not allowed');
      return found;
    }
    const found = claims[claim];
    if (found === undefined) refuse(`parse username claims "${claim}": claim not present`);
    if (typeof found !== 'string') {
      refuse(`parse username claims "${claim}": ${wrongType(found, 'string')}`);
    }
    const verified = claims['email_verified'];
    if (claim === 'email' && verified !== undefined && verified !== true) {
      if (verified === false) refuse('email not verified');
      refuse(`parse 'email_verified' claim: ${wrongType(verified, 'bool')}`);
    }
    return prefix + found;
  }

  #groupsOf(claims: Claims, value: Readonly<Record<string, unknown>>): string[] {
    const { claim = '', prefix = '' } = this.#rules.claimMappings.groups ?? {};
    const found = claim === '' ? undefined : claims[claim];
    if (found !== undefined) {
      const list = typeof found === 'string' ? [found] : found;
      const isList = Array.isArray(list) && list.every((one) => typeof one === 'string');
      if (!isList) refuse(`parse groups claim "${claim}": ${wrongType(found, 'string')}`);
      return (list as string[]).map((one) => prefix + one);
    }
    if (this.#groups === undefined) return [];
    const what = 'group claim expression';
    const result = attempt(what, this.#groups, value);
    try {
      return textList(result);
    } catch (error) {
      return refuse(`error evaluating ${what}: ${(error as Error).message}`);
    }
  }

  #uidOf(claims: Claims, value: Readonly<Record<string, unknown>>): string {
    const { claim = '' } = this.#rules.claimMappings.uid ?? {};
    if (claim !== '') {
      const found = claims[claim];
      if (found === undefined) refuse(`parse uid claim "${claim}": claim not present`);
      if (typeof found === 'string') return found;
      refuse(`parse uid claim "${claim}": ${wrongType(found, 'string')}`);
    }
    if (this.#uid === undefined) return '';
    const found = attempt('uid claim expression', this.#uid, value);
    if (typeof found === 'string') return found;
    return refuse(
      'error evaluating uid claim expression: uid claim expression must return a string',
    );
  }

  #extraOf(
    claims: Claims,
    value: Readonly<Record<string, unknown>>,
  ): Record<string, readonly string[]> {
    const extra: Record<string, readonly string[]> = {};
    const { jti } = claims;
    if (typeof jti === 'string' && jti !== '') extra[CREDENTIAL_ID] = [`JTI=${jti}`];
    for (const one of this.#extra) {
      try {
        const list = textList(evaluate(one, value));
        if (list.length > 0) extra[one.key] = list;
      } catch (error) {
        const why = (error as Error).message;
        refuse(`error evaluating extra claim expression: ${one.source}: ${why}`);
      }
    }
    return extra;
  }

  #checkClaims(claims: Claims, value: Readonly<Record<string, unknown>>): void {
    for (const { claim = '', requiredValue = '' } of this.#rules.claimValidationRules ?? []) {
      if (claim === '') continue;
      const found = claims[claim];
      if (found === undefined) refuse(`required claim ${claim} not present in ID token`);
      if (typeof found !== 'string') refuse(`parse claim ${claim}: ${wrongType(found, 'string')}`);
      if (found !== requiredValue) {
        refuse(
          `required claim ${claim} value does not match. Got = ${found}, want = ${requiredValue}`,
        );
      }
    }
    checkRules(this.#claimRules, value, 'claim validation expression');
  }
}

function attempt(
  what: string,
  expression: Expression,
  value: Readonly<Record<string, unknown>>,
): unknown {
  try {
    return evaluate(expression, value);
  } catch (error) {
    return refuse(
      `error evaluating ${what}: expression '${expression.source}' resulted in error: ${(error as Error).message}`,
    );
  }
}

function checkRules(
  rules: readonly Expression[],
  value: Readonly<Record<string, unknown>>,
  what: string,
): void {
  for (const rule of rules) {
    if (attempt(what, rule, value) === true) continue;
    const why =
      rule.message === undefined || rule.message === ''
        ? `validation expression '${rule.source}' failed`
        : `validation expression '${rule.source}' failed: ${rule.message}`;
    refuse(`error evaluating ${what}: ${why}`);
  }
}

/** As Go's decoder says it. */
function wrongType(value: unknown, wanted: string): string {
  const is = Array.isArray(value)
    ? 'array'
    : value === true || value === false
      ? 'bool'
      : typeof value;
  return `json: cannot unmarshal ${is} into Go value of type ${wanted}`;
}
