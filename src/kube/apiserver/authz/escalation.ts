// Nobody grants by roles and bindings what they may not do themselves, unless they may escalate or bind
// (policybased storage of rbac.authorization.k8s.io in kubernetes v1.37).
import type { AccessRequest, Rule } from '#kube/apiserver/rbac.ts';
import type { UserInfo } from '#kube/apiserver/user.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { same } from '#base/same.ts';
import { ApiError, notFound } from '#kube/meta/status.ts';
import type { Authorizer } from './authorizer.ts';

const group = 'rbac.authorization.k8s.io';

export interface EscalationServices {
  readonly authorizer: Authorizer;
  /** All rules that bind the user in the namespace. */
  readonly rulesFor: (user: UserInfo, namespace: string | undefined) => Iterable<Rule>;
  readonly role: (
    namespace: string | undefined,
    kind: string,
    name: string,
  ) => KubeObject | undefined;
}

const all = (list: readonly string[] | undefined): readonly string[] => list ?? [];
const hasAll = (own: readonly string[], wanted: string): boolean =>
  own.includes('*') || own.includes(wanted);

function coversResource(own: readonly string[], wanted: string): boolean {
  if (hasAll(own, wanted)) return true;
  const [, subresource] = wanted.split('/');
  return subresource !== undefined && own.includes(`*/${subresource}`);
}

function coversUrl(own: readonly string[], wanted: string): boolean {
  return own.some(
    (one) =>
      one === '*' ||
      one === wanted ||
      (one.endsWith('*') && wanted.startsWith(one.replace(/\*+$/, ''))),
  );
}

/** Of one verb, and one resource or path. */
function covers(own: Rule, wanted: Rule): boolean {
  const [verb = ''] = all(wanted.verbs);
  if (!hasAll(all(own.verbs), verb)) return false;
  const [url] = all(wanted.nonResourceURLs);
  if (url !== undefined) return coversUrl(all(own.nonResourceURLs), url);
  const [apiGroup = ''] = all(wanted.apiGroups);
  const [resource = ''] = all(wanted.resources);
  if (!hasAll(all(own.apiGroups), apiGroup)) return false;
  if (!coversResource(all(own.resources), resource)) return false;
  const names = all(own.resourceNames);
  const [name] = all(wanted.resourceNames);
  return names.length === 0 || (name !== undefined && names.includes(name));
}

function* singles(rule: Rule): Generator<Rule> {
  for (const verb of all(rule.verbs)) {
    for (const apiGroup of all(rule.apiGroups)) {
      for (const resource of all(rule.resources)) {
        const one = { apiGroups: [apiGroup], resources: [resource], verbs: [verb] };
        const names = all(rule.resourceNames);
        if (names.length === 0) yield one;
        for (const name of names) yield { ...one, resourceNames: [name] };
      }
    }
    for (const url of all(rule.nonResourceURLs)) yield { nonResourceURLs: [url], verbs: [verb] };
  }
}

const texts = (list: readonly string[]): string =>
  `[${list.map((one) => JSON.stringify(one)).join(' ')}]`;

function described(rule: Rule): string {
  const parts = (
    [
      ['APIGroups', rule.apiGroups],
      ['Resources', rule.resources],
      ['ResourceNames', rule.resourceNames],
      ['NonResourceURLs', rule.nonResourceURLs],
      ['Verbs', rule.verbs],
    ] as const
  ).filter(([, list]) => all(list).length > 0);
  return `{${parts.map(([name, list]) => `${name}:${texts(all(list))}`).join(', ')}}`;
}

/** Rules of one resource each, with all their verbs. */
function compact(rules: readonly Rule[]): Rule[] {
  const found = new Map<string, Rule>();
  const out: Rule[] = [];
  for (const rule of rules) {
    if (all(rule.nonResourceURLs).length > 0) {
      out.push(rule);
      continue;
    }
    const { verbs, ...rest } = rule;
    const key = JSON.stringify(rest);
    const known = found.get(key);
    found.set(key, { ...rest, verbs: [...all(known?.verbs), ...all(verbs)] });
  }
  return [...found.values(), ...out];
}

function missing(own: readonly Rule[], wanted: readonly Rule[]): Rule[] {
  return wanted
    .flatMap((rule) => [...singles(rule)])
    .filter((one) => !own.some((rule) => covers(rule, one)));
}

const isMaster = ({ groups }: UserInfo): boolean => groups.includes('system:masters');

const everything: readonly Rule[] = [
  { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
  { nonResourceURLs: ['*'], verbs: ['*'] },
];

function forbiddenRole(info: ResourceInfo, name: string, why: string): ApiError {
  const message = `${info.resource}.${group} "${name}" is forbidden: ${why}`;
  return new ApiError(403, 'Forbidden', message, { name, group, kind: info.resource });
}

function refuse(info: ResourceInfo, name: string, user: UserInfo, rules: readonly Rule[]): never {
  const lines = [...new Set(compact(rules).map(described))].sort();
  const why = `user ${JSON.stringify(user.name)} (groups=${texts(user.groups)}) is attempting to grant RBAC permissions not currently held:\n${lines.join('\n')}`;
  throw forbiddenRole(info, name, why);
}

/** What the collector of garbage changes grants nothing. */
function isOnlyForGarbage(object: KubeObject, old: KubeObject | undefined): boolean {
  if (old === undefined) return false;
  const rest = ({ metadata, ...fields }: KubeObject): unknown => {
    const { ownerReferences: _o, finalizers: _f, managedFields: _m, ...meta } = metadata;
    const { resourceVersion: _v, generation: _g, ...plain } = meta;
    return { ...fields, metadata: plain };
  };
  return same(rest(object), rest(old));
}

/** Throws ApiError 403, or 404 for a binding to a role that is not there. */
export async function checkEscalation(
  services: EscalationServices,
  { info, user }: { readonly info: ResourceInfo; readonly user: UserInfo },
  object: KubeObject,
  old: KubeObject | undefined,
): Promise<void> {
  if (isMaster(user)) return;
  const { name = '', namespace } = object.metadata;
  const isBinding = info.resource.endsWith('bindings');
  if (isOnlyForGarbage(object, old)) return;
  const may = async (verb: string, resource: string, which: string): Promise<boolean> => {
    const access: AccessRequest = {
      user,
      verb,
      isResource: true,
      group,
      version: 'v1',
      resource,
      subresource: undefined,
      namespace,
      name: which,
      path: '',
    };
    return (await services.authorizer.authorize(access)).kind === 'allow';
  };
  const own = [...services.rulesFor(user, namespace)];
  if (!isBinding) {
    if (await may('escalate', info.resource, name)) return;
    const lacking = missing(own, (object['rules'] ?? []) as Rule[]);
    if (lacking.length > 0) refuse(info, name, user, lacking);
    // What is gathered from other roles may become anything.
    const { aggregationRule } = object;
    const isGathered = aggregationRule !== undefined && aggregationRule !== null;
    if (!isGathered || missing(own, everything).length === 0) return;
    const why = 'must have cluster-admin privileges to use the aggregationRule';
    throw forbiddenRole(info, name, why);
  }
  const ref = object['roleRef'] as { kind: string; name: string };
  const resource = `${ref.kind.toLowerCase()}s`;
  if (await may('bind', resource, ref.name)) return;
  const role = services.role(namespace, ref.kind, ref.name);
  if (role === undefined) throw notFound(info, ref.name);
  const lacking = missing(own, (role['rules'] ?? []) as Rule[]);
  if (lacking.length > 0) refuse(info, name, user, lacking);
}
