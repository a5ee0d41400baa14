// What the allocator tells operators: why a framework has no offers (of Strata alone), and whom its
// constraints exclude (as Mesos 1.11 has it).
import type { Explanation } from '#mesos/allocator/allocator-core.ts';
import type { MasterState } from './state.ts';

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
  now: number,
): AllocatorAnswer | undefined {
  if (path === CONSTRAINTS_PATH) return { status: 200, value: constraints(state) };
  if (path !== WHY_PATH) return undefined;
  return why(state, query.get('framework_id') ?? undefined, query.get('role') ?? undefined, now);
}

function constraints({ frameworks, allocator }: MasterState): object {
  const all = [...frameworks.values()].map(({ id }) => {
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
  state: MasterState,
  frameworkId: string | undefined,
  role: string | undefined,
  now: number,
): AllocatorAnswer {
  const { frameworks, allocator } = state;
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
