// Offer constraints of frameworks: groups of conditions on an agent's attributes, hostname, region
// and zone (inventory 2.11; the rules and words of Mesos 1.11).
import type {
  AgentInfo,
  Attribute,
  SchedulerAttributeConstraint,
  SchedulerOfferConstraints,
} from '#wire/mesos/v1.ts';
import { LinearRegex } from './linear-regex.ts';

/** What the conditions look at. */
export type ConstrainedAgent = Pick<AgentInfo, 'hostname' | 'attributes' | 'domain'>;

/** True when one of the groups holds. */
export type RoleCondition = (agent: ConstrainedAgent) => boolean;

/** Roles that are not named are not constrained. */
export type Conditions = ReadonlyMap<string, RoleCondition>;

type Value = string | Attribute | undefined;
type Test = (value: Value) => boolean;

/** Attributes that are no text satisfy every condition on text, also the negative ones. */
function onText(test: (text: string) => boolean, whenMissing: boolean): Test {
  return (value) => {
    if (value === undefined) return whenMissing;
    if (typeof value === 'string') return test(value);
    return value.type !== 'TEXT' || test(value.text?.value ?? '');
  };
}

function predicateOf({ predicate }: SchedulerAttributeConstraint): Test | string {
  const { text_equals, text_not_equals, text_matches, text_not_matches } = predicate;
  if (predicate.exists !== undefined) return (value) => value !== undefined;
  if (predicate.not_exists !== undefined) return (value) => value === undefined;
  if (text_equals !== undefined) return onText((text) => text === text_equals.value, false);
  if (text_not_equals !== undefined) return onText((text) => text !== text_not_equals.value, true);
  const pattern = text_matches?.regex ?? text_not_matches?.regex;
  if (pattern === undefined) return 'Unknown predicate type';
  const regex = LinearRegex.compile(pattern);
  if (typeof regex === 'string') return regex;
  return text_matches === undefined
    ? onText((text) => !regex.matches(text), true)
    : onText((text) => regex.matches(text), false);
}

function selectorOf({
  selector,
}: SchedulerAttributeConstraint): ((a: ConstrainedAgent) => Value) | string {
  const { attribute_name: name, pseudoattribute_type: pseudo } = selector;
  if (pseudo !== undefined) {
    if (pseudo === 'HOSTNAME') return ({ hostname }) => hostname;
    if (pseudo === 'REGION') return ({ domain }) => domain?.fault_domain?.region.name;
    if (pseudo === 'ZONE') return ({ domain }) => domain?.fault_domain?.zone.name;
    return 'Unknown pseudoattribute type';
  }
  if (name === undefined) {
    return "Exactly one of 'AttributeConstraint::Selector::name' or 'AttributeConstraint::Selector::pseudoattribute_type' must be set";
  }
  return ({ attributes }) => attributes?.find((one) => one.name === name);
}

/** The conditions, or what is wrong with them. */
export function compileConstraints(
  constraints: SchedulerOfferConstraints | undefined,
): Conditions | string {
  const conditions = new Map<string, RoleCondition>();
  for (const [role, { groups = [] }] of Object.entries(constraints?.role_constraints ?? {})) {
    if (groups.length === 0) {
      return `'OfferConstraints::role_constraints' has an empty 'RoleConstraints::groups' for role ${role}`;
    }
    const compiled: RoleCondition[][] = [];
    for (const { attribute_constraints: all = [] } of groups) {
      if (all.length === 0) {
        return `'OfferConstraints::RoleConstraints::groups' for role ${role}contains an empty RoleConstraints::Group`;
      }
      const group: RoleCondition[] = [];
      for (const one of all) {
        const select = selectorOf(one);
        const test = typeof select === 'string' ? select : predicateOf(one);
        if (typeof select === 'string' || typeof test === 'string') {
          const why = typeof test === 'string' ? test : String(select);
          return `A role ${role} has an invalid 'AttributeConstraint': ${why}`;
        }
        group.push((agent) => test(select(agent)));
      }
      compiled.push(group);
    }
    conditions.set(role, (agent) => compiled.some((group) => group.every((it) => it(agent))));
  }
  return conditions;
}
