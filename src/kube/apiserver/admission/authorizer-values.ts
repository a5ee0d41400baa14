// `authorizer` in expressions: what the requesting user, or a service account, may do.
import type { Environment } from '@marcbachmann/cel-js';
import { sync } from '#kube/cel/namespaces.ts';
import type { AccessRequest } from '#kube/apiserver/rbac.ts';
import { serviceAccountUser, type UserInfo } from '#kube/apiserver/user.ts';
import type { AdmissionRequest } from './request.ts';

type IsAllowed = (access: AccessRequest) => boolean;

class Decision {
  readonly isAllowed: boolean;

  constructor(isAllowed: boolean) {
    this.isAllowed = isAllowed;
  }
}

class PathCheck {
  readonly authorizer: AuthorizerValue;
  readonly path: string;

  constructor(authorizer: AuthorizerValue, path: string) {
    this.authorizer = authorizer;
    this.path = path;
  }
}

class GroupCheck {
  readonly authorizer: AuthorizerValue;
  readonly group: string;

  constructor(authorizer: AuthorizerValue, group: string) {
    this.authorizer = authorizer;
    this.group = group;
  }
}

interface ResourceParts {
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

class ResourceCheck {
  readonly authorizer: AuthorizerValue;
  readonly parts: ResourceParts;

  constructor(authorizer: AuthorizerValue, parts: ResourceParts) {
    this.authorizer = authorizer;
    this.parts = parts;
  }

  with(parts: Partial<ResourceParts>): ResourceCheck {
    return new ResourceCheck(this.authorizer, { ...this.parts, ...parts });
  }
}

export class AuthorizerValue {
  readonly user: UserInfo;
  readonly isAllowed: IsAllowed;
  /** The check of what the request is about. */
  requestResource: ResourceCheck | undefined;

  constructor(user: UserInfo, isAllowed: IsAllowed) {
    this.user = user;
    this.isAllowed = isAllowed;
  }

  static of(request: AdmissionRequest, isAllowed: IsAllowed): AuthorizerValue {
    const made = new AuthorizerValue(request.user, isAllowed);
    const { info, subresource, namespace, name } = request;
    const { group, resource } = info;
    made.requestResource = new ResourceCheck(made, {
      group,
      resource,
      subresource,
      namespace,
      name,
    });
    return made;
  }

  decide(access: Omit<AccessRequest, 'user'>): Decision {
    return new Decision(this.isAllowed({ ...access, user: this.user }));
  }
}

const AUTHORIZER = 'kubernetes.authorization.Authorizer';
const PATH = 'kubernetes.authorization.PathCheck';
const GROUP = 'kubernetes.authorization.GroupCheck';
const RESOURCE = 'kubernetes.authorization.ResourceCheck';
const DECISION = 'kubernetes.authorization.Decision';

function checkResource({ authorizer, parts }: ResourceCheck, verb: string): Decision {
  const { group, resource, subresource, namespace, name } = parts;
  return authorizer.decide({
    verb,
    isResource: true,
    group,
    resource,
    subresource: subresource || undefined,
    namespace: namespace || undefined,
    name: name || undefined,
    path: '',
  });
}

function checkPath({ authorizer, path }: PathCheck, verb: string): Decision {
  return authorizer.decide({
    verb,
    isResource: false,
    group: '',
    resource: '',
    subresource: undefined,
    namespace: undefined,
    name: undefined,
    path,
  });
}

export function registerAuthorizer(env: Environment): void {
  env.registerType(DECISION, Decision);
  env.registerType(PATH, PathCheck);
  env.registerType(GROUP, GroupCheck);
  env.registerType(RESOURCE, ResourceCheck);
  env.registerType(AUTHORIZER, {
    ctor: AuthorizerValue,
    fields: { requestResource: RESOURCE },
  } as never);
  const add = (signature: string, handler: (...args: never[]) => unknown): void =>
    void env.registerFunction(signature, handler as (...args: unknown[]) => unknown, sync);
  add(
    `${AUTHORIZER}.path(string): ${PATH}`,
    (one: AuthorizerValue, path: string) => new PathCheck(one, path),
  );
  add(
    `${AUTHORIZER}.group(string): ${GROUP}`,
    (one: AuthorizerValue, group: string) => new GroupCheck(one, group),
  );
  add(
    `${AUTHORIZER}.serviceAccount(string, string): ${AUTHORIZER}`,
    (one: AuthorizerValue, namespace: string, name: string) =>
      new AuthorizerValue(serviceAccountUser(namespace, name, ''), one.isAllowed),
  );
  add(
    `${GROUP}.resource(string): ${RESOURCE}`,
    ({ authorizer, group }: GroupCheck, resource: string) =>
      new ResourceCheck(authorizer, { group, resource }),
  );
  for (const part of ['subresource', 'namespace', 'name']) {
    add(`${RESOURCE}.${part}(string): ${RESOURCE}`, (one: ResourceCheck, value: string) =>
      one.with({ [part]: value }),
    );
  }
  for (const part of ['fieldSelector', 'labelSelector']) {
    add(`${RESOURCE}.${part}(string): ${RESOURCE}`, (one: ResourceCheck) => one);
  }
  add(`${RESOURCE}.check(string): ${DECISION}`, checkResource);
  add(`${PATH}.check(string): ${DECISION}`, checkPath);
  add(`${DECISION}.allowed(): bool`, (one: Decision) => one.isAllowed);
  add(`${DECISION}.errored(): bool`, () => false);
  add(`${DECISION}.error(): string`, () => '');
  add(`${DECISION}.reason(): string`, () => '');
  env.registerVariable('authorizer', AUTHORIZER);
}
