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
