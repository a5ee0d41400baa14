// Matches node selector requirements and terms, for filters and scores alike.
import type { NodeSelectorTerm, Requirement, SchedulingNode } from './types.ts';

function matchesValue(requirement: Requirement, value: string | undefined): boolean {
  const { operator, values } = requirement;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt': {
      const bound = values[0];
      if (value === undefined || bound === undefined) return false;
      if (!/^-?\d+$/.test(value) || !/^-?\d+$/.test(bound)) return false;
      return operator === 'Gt' ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
    }
    default:
      return false;
  }
}

export function matchesTerm(term: NodeSelectorTerm, node: SchedulingNode): boolean {
  if (term.matchExpressions.length === 0 && term.matchFields.length === 0) return false;
  const fields: Record<string, string> = { 'metadata.name': node.name };
  return (
    term.matchExpressions.every((one) => matchesValue(one, node.labels[one.key])) &&
    term.matchFields.every((one) => matchesValue(one, fields[one.key]))
  );
}
