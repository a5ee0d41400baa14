// Acting as somebody else: which user the headers ask for, and whether the requestor may. First by the
// constrained modes (impersonate:<mode> with impersonate-on:<mode>:<verb>), then by the verb impersonate.
import { ApiError, badRequest } from '#kube/meta/status.ts';
import { forbidden } from './access.ts';
import type { Decision } from './authz/authorizer.ts';
import type { AccessRequest } from './rbac.ts';
import { anonymous, type UserInfo } from './user.ts';

const GROUP = 'authentication.k8s.io';
const NODE_PREFIX = 'system:node:';
const AUTHENTICATED = 'system:authenticated';
const UNAUTHENTICATED = 'system:unauthenticated';
const EXTRA_PREFIX = 'impersonate-extra-';
const NODE_NAME_KEY = 'authentication.kubernetes.io/node-name';

export type Authorize = (access: AccessRequest) => Decision | Promise<Decision>;

function unescaped(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

/** Names and values in turn, as they came: several headers of a name are several values. */
export function wantedUser(rawHeaders: readonly string[]): UserInfo | undefined {
  let [name, uid] = ['', ''];
  const groups: string[] = [];
  const extra: Record<string, string[]> = {};
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [header, value] = [rawHeaders[i]?.toLowerCase() ?? '', rawHeaders[i + 1] ?? ''];
    if (header === 'impersonate-user') name ||= value;
    else if (header === 'impersonate-uid') uid ||= value;
    else if (header === 'impersonate-group') groups.push(value);
    else if (header.startsWith(EXTRA_PREFIX)) {
      (extra[unescaped(header.slice(EXTRA_PREFIX.length))] ??= []).push(value);
    }
  }
  if (name !== '') return { name, uid, groups, extra };
  const isAsking = uid !== '' || groups.length > 0 || Object.keys(extra).length > 0;
  if (!isAsking) return undefined;
  throw badRequest(
    `requested ${goUser({ name, uid, groups, extra })} without impersonating a user name`,
  );
}

function goUser({ name, uid, groups, extra }: UserInfo): string {
  const quoted = (list: readonly string[]): string =>
    list.length === 0
      ? '[]string(nil)'
      : `[]string{${list.map((one) => JSON.stringify(one)).join(', ')}}`;
  const keys = Object.keys(extra);
  const entries = keys.map((key) => `${JSON.stringify(key)}:${quoted(extra[key] ?? [])}`);
  const map = `map[string][]string${keys.length === 0 ? '(nil)' : `{${entries.join(', ')}}`}`;
  return `&user.DefaultInfo{Name:${JSON.stringify(name)}, UID:${JSON.stringify(uid)}, Groups:${quoted(groups)}, Extra:${map}}`;
}

interface ServiceAccountName {
  readonly namespace: string;
  readonly name: string;
}

function serviceAccountName(username: string): ServiceAccountName | undefined {
  const parts = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(username);
  return parts === null ? undefined : { namespace: parts[1] ?? '', name: parts[2] ?? '' };
}

interface Mode {
  readonly name: string;
  readonly takes: (wanted: UserInfo, requestor: UserInfo) => boolean;
}

const isOnlyName = ({ uid, groups, extra }: UserInfo): boolean =>
  uid === '' && groups.length === 0 && Object.keys(extra).length === 0;
const isNode = ({ name }: UserInfo): boolean => name.startsWith(NODE_PREFIX);

const modes: readonly Mode[] = [
  {
    name: 'associated-node',
    takes: (wanted, requestor) =>
      isOnlyName(wanted) &&
      isNode(wanted) &&
      serviceAccountName(requestor.name) !== undefined &&
      requestor.extra[NODE_NAME_KEY]?.[0] === wanted.name.slice(NODE_PREFIX.length),
  },
  { name: 'arbitrary-node', takes: (wanted) => isOnlyName(wanted) && isNode(wanted) },
  {
    name: 'serviceaccount',
    takes: (wanted) => isOnlyName(wanted) && serviceAccountName(wanted.name) !== undefined,
  },
  {
    name: 'user-info',
    takes: (wanted) => !isNode(wanted) && serviceAccountName(wanted.name) === undefined,
  },
];

/** The first refusal of a mode. */
class Check {
  readonly #authorize: Authorize;
  readonly #request: AccessRequest;
  readonly #verb: string;
  readonly #group: string;

  constructor(authorize: Authorize, request: AccessRequest, verb: string, group: string) {
    this.#authorize = authorize;
    this.#request = request;
    this.#verb = verb;
    this.#group = group;
  }

  async ask(resource: string, name: string, more: Partial<AccessRequest> = {}): Promise<void> {
    const access: AccessRequest = {
      ...this.#request,
      verb: this.#verb,
      isResource: true,
      group: this.#group,
      resource,
      subresource: undefined,
      namespace: undefined,
      name,
      ...more,
    };
    const { kind, reason } = await this.#authorize(access);
    if (kind !== 'allow') throw forbidden(access, reason);
  }

  async user(
    wanted: UserInfo,
    isConstrained: boolean,
    nodeName: string | undefined,
  ): Promise<void> {
    const account = serviceAccountName(wanted.name);
    if (isConstrained && isNode(wanted)) {
      await this.ask('nodes', nodeName ?? wanted.name.slice(NODE_PREFIX.length));
    } else if (account === undefined) await this.ask('users', wanted.name);
    else await this.ask('serviceaccounts', account.name, { namespace: account.namespace });
    const group = { group: GROUP };
    if (wanted.uid !== '') await this.ask('uids', wanted.uid, group);
    if (isConstrained) refusePrivileged(wanted, this.#request);
    for (const one of wanted.groups) await this.ask('groups', one);
    for (const [key, values] of Object.entries(wanted.extra)) {
      for (const value of values) {
        await this.ask('userextras', value, { ...group, subresource: key });
      }
    }
  }
}

/** Constrained modes give extra only under names that say whose they are. */
const domainPath = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?\/[^/].*$/;

/** What only the verb impersonate can give. */
function refusePrivileged({ groups, extra }: UserInfo, request: AccessRequest): void {
  const isOdd =
    groups.includes('') ||
    Object.entries(extra).some(([key, all]) => !domainPath.test(key) || all.includes(''));
  if (!isOdd && !groups.includes('system:masters')) return;
  throw forbidden({
    ...request,
    verb: 'impersonate:user-info',
    isResource: true,
    group: GROUP,
    resource: 'groups',
    subresource: undefined,
    namespace: undefined,
    name: groups.includes('system:masters') ? 'system:masters' : '',
  });
}

function complete(wanted: UserInfo, isConstrained: boolean): UserInfo {
  const account = serviceAccountName(wanted.name);
  let groups = [...wanted.groups];
  if (isConstrained && isNode(wanted)) groups = ['system:nodes'];
  if (account !== undefined && groups.length === 0) {
    groups = ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`];
  }
  if (wanted.name === anonymous.name) {
    if (!groups.includes(UNAUTHENTICATED)) groups.push(UNAUTHENTICATED);
  } else if (!groups.includes(UNAUTHENTICATED) && !groups.includes(AUTHENTICATED)) {
    groups.push(AUTHENTICATED);
  }
  return { ...wanted, groups };
}

export interface Impersonated {
  readonly user: UserInfo;
  /** The verb of the constrained mode by which it was allowed. */
  readonly constraint?: string | undefined;
}

/** The user to act as. `request` is what the requestor asks for, with the requestor as its user. */
export async function impersonate(
  authorize: Authorize,
  request: AccessRequest,
  wanted: UserInfo,
): Promise<Impersonated> {
  let first: unknown;
  for (const mode of modes) {
    if (!mode.takes(wanted, request.user)) continue;
    try {
      const on = { ...request, verb: `impersonate-on:${mode.name}:${request.verb}` };
      const { kind, reason } = await authorize(on);
      if (kind !== 'allow') throw forbidden(on, reason);
      const node = mode.name === 'associated-node' ? '*' : undefined;
      const check = new Check(authorize, request, `impersonate:${mode.name}`, GROUP);
      await check.user(wanted, true, node);
      return { user: complete(wanted, true), constraint: `impersonate:${mode.name}` };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      first ??= error;
    }
  }
  try {
    await new Check(authorize, request, 'impersonate', '').user(wanted, false, undefined);
  } catch (error) {
    throw first ?? error;
  }
  return { user: complete(wanted, false) };
}
