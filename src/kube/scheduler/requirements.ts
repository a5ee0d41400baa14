// Matches node selector requirements and terms, for filters and scores alike.
import { isMet } from '#kube/meta/requirements.ts';
import type { NodeSelectorTerm, SchedulingNode } from './types.ts';

export function matchesTerm(term: NodeSelectorTerm, node: SchedulingNode): boolean {
  if (term.matchExpressions.length === 0 && term.matchFields.length === 0) return false;
  const fields: Record<string, string> = { 'metadata.name': node.name };
  return (
    term.matchExpressions.every((one) => isMet(one, node.labels[one.key])) &&
    term.matchFields.every((one) => isMet(one, fields[one.key]))
  );
}
