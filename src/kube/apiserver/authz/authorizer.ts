// Who decides whether a request may be: one authorizer after another, until one has an opinion.
import type { AccessRequest, Rule } from '#kube/apiserver/rbac.ts';
import type { UserInfo } from '#kube/apiserver/user.ts';

export interface Decision {
  /** `none`: no opinion, the next one is asked. */
  readonly kind: 'allow' | 'deny' | 'none';
  /** Told to clients in refusals and in access reviews; may be empty. */
  readonly reason: string;
  /** What went wrong while deciding. */
  readonly error?: string | undefined;
}

export const ALLOW: Decision = { kind: 'allow', reason: '' };

export const noOpinion = (reason = ''): Decision => ({ kind: 'none', reason });

/** What somebody may do in a namespace, as far as it can be listed. */
export interface KnownRules {
  readonly rules: readonly Rule[];
  readonly isIncomplete?: boolean;
  readonly errors?: readonly string[];
}

export interface Authorizer {
  authorize(access: AccessRequest): Decision | Promise<Decision>;
  /** Absent: it allows nothing that could be listed. */
  rules?(user: UserInfo, namespace: string): KnownRules;
}

/** Of those who decide by what cannot be listed. */
export const unlisted = (who: string): KnownRules => ({
  rules: [],
  isIncomplete: true,
  errors: [`${who} authorizer does not support user rule resolution`],
});

/** Members of system:masters may do everything, whoever else is asked (and whatever is loaded yet). */
export const superusers: Authorizer = {
  authorize: ({ user }) => (user.groups.includes('system:masters') ? ALLOW : noOpinion()),
};

/** Reasons of those without an opinion are told under their names. */
export interface NamedAuthorizer {
  readonly name: string;
  readonly authorizer: Authorizer;
}

type Chain = readonly NamedAuthorizer[];

export class AuthorizerChain implements Authorizer {
  #all: Chain;

  constructor(all: Chain) {
    this.#all = all;
  }

  /** From the next question on; those that are being asked are answered by those that were here. */
  use(all: Chain): void {
    this.#all = all;
  }

  /** At once, unless somebody has to ask somebody else. */
  authorize(access: AccessRequest): Decision | Promise<Decision> {
    return decided(this.#all, 0, access, []);
  }

  rules(user: UserInfo, namespace: string): Required<KnownRules> {
    const found = this.#all.map(({ authorizer }) => authorizer.rules?.(user, namespace));
    return {
      rules: found.flatMap((one) => one?.rules ?? []),
      isIncomplete: found.some((one) => one?.isIncomplete === true),
      errors: found.flatMap((one) => one?.errors ?? []),
    };
  }
}

function decided(
  all: Chain,
  start: number,
  access: AccessRequest,
  before: Decision[],
): Decision | Promise<Decision> {
  for (let i = start; i < all.length; i++) {
    const found = all[i]?.authorizer.authorize(access) ?? noOpinion();
    if (found instanceof Promise) {
      return found.then((one) =>
        one.kind === 'none' ? decided(all, i + 1, access, [...before, one]) : one,
      );
    }
    if (found.kind !== 'none') return found;
    before.push(found);
  }
  return nobody(all, before);
}

function nobody(all: Chain, found: readonly Decision[]): Decision {
  const told = found.map(({ reason }, i) =>
    reason === '' ? '' : `${all[i]?.name ?? ''}: ${reason}`,
  );
  const reason = told.filter((one) => one !== '').join('\n');
  const errors = found.map(({ error }) => error).filter((one) => one !== undefined);
  if (errors.length === 0) return noOpinion(reason);
  const error = errors.length === 1 ? errors[0] : `[${errors.join(', ')}]`;
  return { ...noOpinion(reason), error };
}

/** For what cannot wait: without those who have to ask somebody else. */
export function isAllowedNow(authorizer: Authorizer, access: AccessRequest): boolean {
  const found = authorizer.authorize(access);
  return !(found instanceof Promise) && found.kind === 'allow';
}
