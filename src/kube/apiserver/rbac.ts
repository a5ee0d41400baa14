// Who may do what: RBAC over the stored roles and bindings. Pure evaluation over a snapshot.
import type { KubeObject } from '#kube/meta/object.ts';
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
}

interface Rule {
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

function applies(binding: KubeObject, user: UserInfo): boolean {
  const subjects = (binding['subjects'] ?? []) as readonly Subject[];
  return subjects.some((subject) => isSubject(user, subject, binding.metadata.namespace));
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
  for (const binding of source.clusterRoleBindings()) {
    if (applies(binding, user)) yield* rulesOf(source.clusterRole(binding['roleRef'].name));
  }
  if (namespace === undefined || namespace === '') return;
  for (const binding of source.roleBindings(namespace)) {
    if (!applies(binding, user)) continue;
    const { kind, name } = binding['roleRef'];
    yield* rulesOf(
      kind === 'ClusterRole' ? source.clusterRole(name) : source.role(namespace, name),
    );
  }
}

export function isAllowed(source: RoleSource, request: AccessRequest): boolean {
  if (request.user.groups.includes('system:masters')) return true;
  for (const rule of rulesFor(source, request.user, request.namespace)) {
    if (allows(rule, request)) return true;
  }
  return false;
}
