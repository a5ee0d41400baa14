// What expressions can ask of an authorizer, as k8s.io/apiserver declares it (library/authz.go). Who the user is and
// what is allowed is known to those who make the values.
import { nameProblem } from '#kube/meta/names.ts';
import { CelFailure } from './core-values.ts';
import type { Environment } from './environment.ts';
import { struct, type CelType } from './types.ts';
import type { OpaqueValue } from './values.ts';

const AUTHORIZER = 'kubernetes.authorization.Authorizer';
const PATH = 'kubernetes.authorization.PathCheck';
const GROUP = 'kubernetes.authorization.GroupCheck';
const RESOURCE = 'kubernetes.authorization.ResourceCheck';
const DECISION = 'kubernetes.authorization.Decision';

const types = new Map(
  [AUTHORIZER, PATH, GROUP, RESOURCE, DECISION].map((name) => [name, struct(name)] as const),
);

export const AUTHORIZER_TYPE = types.get(AUTHORIZER) as CelType;
export const RESOURCE_TYPE = types.get(RESOURCE) as CelType;

/** None of them is equal to another one. */
class AuthorizationValue implements OpaqueValue {
  readonly #type: string;

  constructor(type: string) {
    this.#type = type;
  }

  get celType(): CelType {
    return types.get(this.#type) as CelType;
  }

  equals(other: unknown): boolean {
    return other === this;
  }
}

/** What is to be allowed; without a resource it is a path. */
export interface AccessParts {
  readonly path?: string | undefined;
  readonly group?: string | undefined;
  readonly resource?: string | undefined;
  readonly subresource?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

export interface AuthorizerSource {
  isAllowed(verb: string, parts: AccessParts): boolean;
  serviceAccount(namespace: string, name: string): AuthorizerSource;
}

class Decision extends AuthorizationValue {
  readonly isAllowed: boolean;

  constructor(isAllowed: boolean) {
    super(DECISION);
    this.isAllowed = isAllowed;
  }
}

class Check extends AuthorizationValue {
  readonly source: AuthorizerSource;
  readonly parts: AccessParts;

  constructor(type: string, source: AuthorizerSource, parts: AccessParts) {
    super(type);
    this.source = source;
    this.parts = parts;
  }

  with(part: keyof AccessParts, value: string, type = RESOURCE): Check {
    return new Check(type, this.source, { ...this.parts, [part]: value });
  }

  decide(verb: string): Decision {
    return new Decision(this.source.isAllowed(verb, this.parts));
  }
}

export class AuthorizerValue extends Check {
  constructor(source: AuthorizerSource) {
    super(AUTHORIZER, source, {});
  }
}

/** Of what a request is about. */
export function resourceCheck(source: AuthorizerSource, parts: AccessParts): unknown {
  return new Check(RESOURCE, source, parts);
}

function serviceAccount({ source }: Check, namespace: string, name: string): AuthorizerValue {
  if (nameProblem('subdomain', name) !== undefined)
    throw new CelFailure('Invalid service account name');
  if (nameProblem('label', namespace) !== undefined)
    throw new CelFailure('Invalid service account namespace');
  return new AuthorizerValue(source.serviceAccount(namespace, name));
}

export function registerAuthorization(env: Environment): void {
  env.method(`${AUTHORIZER}.path(string): ${PATH}`, (one: Check, path: string) => {
    if (path === '') throw new CelFailure('path must not be empty');
    return one.with('path', path, PATH);
  });
  env.method(`${AUTHORIZER}.group(string): ${GROUP}`, (one: Check, group: string) =>
    one.with('group', group, GROUP),
  );
  env.method(`${AUTHORIZER}.serviceAccount(string, string): ${AUTHORIZER}`, serviceAccount);
  env.method(`${GROUP}.resource(string): ${RESOURCE}`, (one: Check, resource: string) => {
    if (resource === '') throw new CelFailure('resource must not be empty');
    return one.with('resource', resource);
  });
  for (const part of ['subresource', 'namespace', 'name'] as const) {
    env.method(`${RESOURCE}.${part}(string): ${RESOURCE}`, (one: Check, value: string) =>
      one.with(part, value),
    );
  }
  for (const part of ['fieldSelector', 'labelSelector'])
    env.method(`${RESOURCE}.${part}(string): ${RESOURCE}`, (one: Check) => one);
  const decide = (one: Check, verb: string): Decision => one.decide(verb);
  env.method(`${PATH}.check(string): ${DECISION}`, decide);
  env.method(`${RESOURCE}.check(string): ${DECISION}`, decide);
  env.method(`${DECISION}.allowed(): bool`, (one: Decision) => one.isAllowed);
  env.method(`${DECISION}.errored(): bool`, () => false);
  env.method(`${DECISION}.error(): string`, () => '');
  env.method(`${DECISION}.reason(): string`, () => '');
}
