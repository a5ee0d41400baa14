// What the allocator tells operators: why a framework has no offers (of Strata alone), and whom its
// constraints exclude (as Mesos 1.11 has it).
import type { Explanation } from '#mesos/allocator/allocator-core.ts';
import { mayViewFramework, type Approvers } from '#mesos/security/authorizer.ts';
import type { MasterState } from './state.ts';
import type { FrameworkRecord } from './types.ts';

export type AllocatorAnswer =
  | { readonly status: 200; readonly value: object }
  | { readonly status: 400 | 404; readonly message: string };

export interface WhyAnswer {
  /** Milliseconds since the Unix epoch, as all times in it. */
  readonly now: number;
  readonly explanations: readonly NamedExplanation[];
}

export interface NamedExplanation extends Explanation {
  readonly frameworkName: string;
}

const CONSTRAINTS_PATH = '/allocator/offer_constraints_debug';
const WHY_PATH = '/allocator/explain';
/** One explanation looks at every agent. */
const EXPLANATIONS_MAX = 100;

/** Undefined when the path is none of the allocator's. */
export function allocatorAnswer(
  path: string,
  query: URLSearchParams,
  state: MasterState,
  by: { readonly approvers: Approvers; readonly now: number },
): AllocatorAnswer | undefined {
  const frameworks = [...state.frameworks.values()].filter(({ info }) =>
    mayViewFramework(by.approvers, info),
  );
  if (path === CONSTRAINTS_PATH) return { status: 200, value: constraints(state, frameworks) };
  if (path !== WHY_PATH) return undefined;
  const seen = new Map(frameworks.map((one) => [one.id, one]));
  const asked = { frameworkId: query.get('framework_id'), role: query.get('role') };
  return why(state, seen, asked, by.now);
}

function constraints({ allocator }: MasterState, frameworks: readonly FrameworkRecord[]): object {
  const all = frameworks.map(({ id }) => {
    const roles = allocator.rolesOf(id);
    const excluded = roles.map((role) => [role, allocator.excludedAgents(id, role)]);
    return [
      id,
      {
        suppressed_roles: roles.filter((role) => allocator.isSuppressed(id, role)),
        excluded_by_attribute_constraints: Object.fromEntries(excluded),
      },
    ];
  });
  return { frameworks: Object.fromEntries(all) };
}

/** Of one framework in all its roles, of all frameworks of one role, or of one in one. */
function why(
  { allocator }: MasterState,
  frameworks: ReadonlyMap<string, FrameworkRecord>,
  named: Readonly<Record<'frameworkId' | 'role', string | null>>,
  now: number,
): AllocatorAnswer {
  const [frameworkId, role] = [named.frameworkId ?? undefined, named.role ?? undefined];
  if (frameworkId === undefined && role === undefined) {
    const message = "Missing 'framework_id' or 'role' query parameter";
    return { status: 400, message };
  }
  const asked = frameworkId === undefined ? allocator.frameworksOf(role ?? '') : [frameworkId];
  const found = asked.map((id) => frameworks.get(id)).filter((one) => one !== undefined);
  if (found.length === 0) {
    const message =
      frameworkId === undefined
        ? `No framework is subscribed to the role '${role}'`
        : 'No framework found with specified ID';
    return { status: 404, message };
  }
  const explanations = found
    .flatMap(({ id, info }) =>
      (role === undefined ? allocator.rolesOf(id) : [role]).map((one) => ({ id, info, one })),
    )
    .slice(0, EXPLANATIONS_MAX)
    .flatMap(({ id, info, one }): NamedExplanation[] => {
      const explanation = allocator.explain(id, one, now);
      return explanation === undefined ? [] : [{ frameworkName: info.name, ...explanation }];
    });
  if (explanations.length === 0) {
    return { status: 404, message: `The framework is not subscribed to the role '${role}'` };
  }
  const value: WhyAnswer = { now, explanations };
  return { status: 200, value };
}
