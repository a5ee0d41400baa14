// Who may do what: RBAC over the stored roles and bindings. Pure evaluation over a snapshot.
import type { KubeObject } from '#kube/meta/object.ts';
import {
  ALLOW,
  noOpinion,
  type Authorizer,
  type Decision,
  type KnownRules,
} from './authz/authorizer.ts';
import type { UserInfo } from './user.ts';

export interface AccessRequest {
  readonly user: UserInfo;
  readonly verb: string;
  readonly isResource: boolean;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly path: string;
  readonly version?: string | undefined;
  /** As in the query; for lists, watches and deletions of collections. */
  readonly fieldSelector?: string | undefined;
  readonly labelSelector?: string | undefined;
}

export interface Rule {
  readonly verbs?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

interface Subject {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

/** Roles and bindings as they are now. */
export interface RoleSource {
  role(namespace: string, name: string): KubeObject | undefined;
  clusterRole(name: string): KubeObject | undefined;
  roleBindings(namespace: string): readonly KubeObject[];
  clusterRoleBindings(): readonly KubeObject[];
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list?.includes('*') === true || list?.includes(value) === true;

export function allows(rule: Rule, request: AccessRequest): boolean {
  if (!has(rule.verbs, request.verb)) return false;
  if (!request.isResource) {
    return (rule.nonResourceURLs ?? []).some(
      (url) =>
        url === '*' ||
        url === request.path ||
        (url.endsWith('*') && request.path.startsWith(url.slice(0, -1))),
    );
  }
  if (!has(rule.apiGroups, request.group)) return false;
  const full =
    request.subresource === undefined
      ? request.resource
      : `${request.resource}/${request.subresource}`;
  const anyOf = request.subresource === undefined ? undefined : `*/${request.subresource}`;
  const resources = rule.resources ?? [];
  const matches =
    resources.includes('*') ||
    resources.includes(full) ||
    (anyOf !== undefined && resources.includes(anyOf));
  if (!matches) return false;
  const names = rule.resourceNames ?? [];
  return names.length === 0 || names.includes(request.name ?? '');
}

function isSubject(user: UserInfo, subject: Subject, namespace: string | undefined): boolean {
  switch (subject.kind) {
    case 'User':
      return subject.name === user.name;
    case 'Group':
      return user.groups.includes(subject.name);
    case 'ServiceAccount':
      return (
        user.name ===
        `system:serviceaccount:${subject.namespace ?? namespace ?? ''}:${subject.name}`
      );
    default:
      return false;
  }
}

function subjectIn(binding: KubeObject, user: UserInfo): Subject | undefined {
  const subjects = (binding['subjects'] ?? []) as readonly Subject[];
  return subjects.find((subject) => isSubject(user, subject, binding.metadata.namespace));
}

interface Grant {
  readonly binding: KubeObject;
  readonly subject: Subject;
  /** undefined: the role that the binding names is not there. */
  readonly role: KubeObject | undefined;
}

/** What binds a user in a namespace (undefined: cluster-wide alone). */
function* grantsFor(
  source: RoleSource,
  user: UserInfo,
  namespace: string | undefined,
): Generator<Grant> {
  for (const binding of source.clusterRoleBindings()) {
    const subject = subjectIn(binding, user);
    if (subject === undefined) continue;
    yield { binding, subject, role: source.clusterRole(binding['roleRef'].name) };
  }
  if (namespace === undefined || namespace === '') return;
  for (const binding of source.roleBindings(namespace)) {
    const subject = subjectIn(binding, user);
    if (subject === undefined) continue;
    const { kind, name } = binding['roleRef'];
    const role = kind === 'ClusterRole' ? source.clusterRole(name) : source.role(namespace, name);
    yield { binding, subject, role };
  }
}

function rulesOf(role: KubeObject | undefined): readonly Rule[] {
  return (role?.['rules'] ?? []) as readonly Rule[];
}

/** All rules that apply to a user in a namespace (undefined: cluster-wide ones alone). */
export function* rulesFor(
  source: RoleSource,
  user: UserInfo,
  namespace: string | undefined,
): Generator<Rule> {
  for (const { role } of grantsFor(source, user, namespace)) yield* rulesOf(role);
}

function describe({ binding, subject }: Grant): string {
  const { name, namespace } = binding.metadata;
  const { kind, name: role } = binding['roleRef'];
  const isInNamespace = namespace !== undefined && namespace !== '';
  const own = isInNamespace ? `RoleBinding "${name}/${namespace}"` : `ClusterRoleBinding "${name}"`;
  const who =
    subject.kind === 'ServiceAccount'
      ? `${subject.name}/${subject.namespace || (namespace ?? '')}`
      : subject.name;
  return `${own} of ${kind} "${role}" to ${subject.kind} "${who}"`;
}

function missing({ binding }: Grant): string {
  const { kind, name } = binding['roleRef'];
  return `${String(kind).toLowerCase()}.rbac.authorization.k8s.io "${name}" not found`;
}

/** Over roles that may not be loaded yet. */
export class RbacAuthorizer implements Authorizer {
  readonly #source: () => RoleSource | undefined;

  constructor(source: () => RoleSource | undefined) {
    this.#source = source;
  }

  authorize(request: AccessRequest): Decision {
    const source = this.#source();
    if (source === undefined) return noOpinion();
    const failures: string[] = [];
    for (const grant of grantsFor(source, request.user, request.namespace)) {
      if (grant.role === undefined) failures.push(missing(grant));
      else if (rulesOf(grant.role).some((rule) => allows(rule, request))) {
        return { ...ALLOW, reason: `RBAC: allowed by ${describe(grant)}` };
      }
    }
    if (failures.length === 0) return noOpinion();
    const all = failures.length === 1 ? failures[0] : `[${failures.join(', ')}]`;
    return noOpinion(`RBAC: ${all}`);
  }

  rules(user: UserInfo, namespace: string): KnownRules {
    const source = this.#source();
    const grants = source === undefined ? [] : [...grantsFor(source, user, namespace)];
    return {
      rules: grants.flatMap(({ role }) => rulesOf(role)),
      errors: grants.filter(({ role }) => role === undefined).map(missing),
    };
  }
}
