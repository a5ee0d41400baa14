// Who makes a request.

export interface UserInfo {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

export const anonymous: UserInfo = {
  name: 'system:anonymous',
  uid: '',
  groups: ['system:unauthenticated'],
  extra: {},
};

export function authenticated(name: string, groups: readonly string[], uid = ''): UserInfo {
  return { name, uid, groups: [...groups, 'system:authenticated'], extra: {} };
}

export function serviceAccountUser(namespace: string, name: string, uid: string): UserInfo {
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
  return authenticated(`system:serviceaccount:${namespace}:${name}`, groups, uid);
}

const NODE_USER = 'system:node:';

/** The node that a user is; empty for one that does not say which, undefined for everybody else. */
export function nodeNameOf({ name, groups }: UserInfo): string | undefined {
  const isNode = name.startsWith(NODE_USER) && groups.includes('system:nodes');
  return isNode ? name.slice(NODE_USER.length) : undefined;
}
