// Which flow schema a request belongs to (rule.go of k8s.io/apiserver v0.37), compiled once for each change
// of the schemas.
import type { KubeObject } from '#kube/meta/object.ts';
import type { RequestInfo } from '#kube/apiserver/request-info.ts';
import type { UserInfo } from '#kube/apiserver/user.ts';

interface ResourceRule {
  readonly verbs?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly clusterScope?: boolean;
  readonly namespaces?: readonly string[];
}

interface NonResourceRule {
  readonly verbs?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

interface Subject {
  readonly kind: string;
  readonly user?: { readonly name: string };
  readonly group?: { readonly name: string };
  readonly serviceAccount?: { readonly namespace: string; readonly name: string };
}

interface Rule {
  readonly subjects?: readonly Subject[];
  readonly resourceRules?: readonly ResourceRule[];
  readonly nonResourceRules?: readonly NonResourceRule[];
}

/** Whom a rule is for: sets, so that long lists cost no more than short ones. */
interface Subjects {
  readonly isEverybody: boolean;
  readonly users: ReadonlySet<string>;
  readonly groups: readonly string[];
  /** Beginnings of the names of service accounts. */
  readonly prefixes: readonly string[];
}

export interface Schema {
  readonly name: string;
  readonly uid: string;
  readonly level: string;
  readonly precedence: number;
  readonly distinguisher: 'ByUser' | 'ByNamespace' | undefined;
  readonly rules: readonly { readonly subjects: Subjects; readonly rule: Rule }[];
}

function subjectsOf(all: readonly Subject[]): Subjects {
  const users = new Set<string>();
  const groups: string[] = [];
  const prefixes: string[] = [];
  let isEverybody = false;
  for (const { kind, user, group, serviceAccount } of all) {
    if (kind === 'User' && user !== undefined) {
      if (user.name === '*') isEverybody = true;
      else users.add(user.name);
    }
    if (kind === 'Group' && group !== undefined) {
      if (group.name === '*') isEverybody = true;
      else groups.push(group.name);
    }
    if (kind === 'ServiceAccount' && serviceAccount !== undefined) {
      const prefix = `system:serviceaccount:${serviceAccount.namespace}:`;
      if (serviceAccount.name === '*') prefixes.push(prefix);
      else users.add(prefix + serviceAccount.name);
    }
  }
  return { isEverybody, users, groups, prefixes };
}

export function schemaOf(object: KubeObject): Schema {
  const spec = object['spec'] as {
    matchingPrecedence?: number;
    priorityLevelConfiguration: { name: string };
    distinguisherMethod?: { type: 'ByUser' | 'ByNamespace' };
    rules?: readonly Rule[];
  };
  return {
    name: object.metadata.name ?? '',
    uid: object.metadata.uid ?? '',
    level: spec.priorityLevelConfiguration.name,
    precedence: spec.matchingPrecedence ?? 0,
    distinguisher: spec.distinguisherMethod?.type,
    rules: (spec.rules ?? []).map((rule) => ({ subjects: subjectsOf(rule.subjects ?? []), rule })),
  };
}

/** In the order in which they are tried. */
export function inOrder(schemas: readonly Schema[]): Schema[] {
  return schemas.toSorted((a, b) => a.precedence - b.precedence || (a.name < b.name ? -1 : 1));
}

function isSubject({ isEverybody, users, groups, prefixes }: Subjects, user: UserInfo): boolean {
  if (isEverybody || users.has(user.name)) return true;
  for (const group of groups) if (user.groups.includes(group)) return true;
  for (const prefix of prefixes) if (user.name.startsWith(prefix)) return true;
  return false;
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list !== undefined && ((list.length === 1 && list[0] === '*') || list.includes(value));

function matchesResource(rule: ResourceRule, info: RequestInfo): boolean {
  if (!has(rule.verbs, info.verb) || !has(rule.apiGroups, info.group)) return false;
  const { resource, subresource, namespace = '' } = info;
  if (!has(rule.resources, subresource === undefined ? resource : `${resource}/${subresource}`)) {
    return false;
  }
  return namespace === '' ? rule.clusterScope === true : has(rule.namespaces, namespace);
}

function matchesPath(urls: readonly string[] | undefined, path: string): boolean {
  return (urls ?? []).some((url) => {
    if (url === '*' || url === path) return true;
    const stem = url.endsWith('*') ? url.slice(0, -1) : url;
    return path.startsWith(stem.endsWith('/') ? stem : `${stem}/`);
  });
}

function matches({ rules }: Schema, user: UserInfo, info: RequestInfo): boolean {
  for (const { subjects, rule } of rules) {
    if (!isSubject(subjects, user)) continue;
    const isMatch = info.isResource
      ? rule.resourceRules?.some((one) => matchesResource(one, info))
      : rule.nonResourceRules?.some(
          (one) => has(one.verbs, info.verb) && matchesPath(one.nonResourceURLs, info.path),
        );
    if (isMatch === true) return true;
  }
  return false;
}

/** The last resort takes what no schema matches. */
export function classify(
  schemas: readonly Schema[],
  user: UserInfo,
  info: RequestInfo,
): Schema | undefined {
  for (const schema of schemas) if (matches(schema, user, info)) return schema;
  return schemas.find(({ name }) => name === 'catch-all');
}

export function distinguish(schema: Schema, user: UserInfo, info: RequestInfo): string {
  if (schema.distinguisher === 'ByUser') return user.name;
  return schema.distinguisher === 'ByNamespace' ? (info.namespace ?? '') : '';
}
