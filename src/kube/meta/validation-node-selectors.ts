// Validates what nodes are chosen by (labels and names), as kube-apiserver v1.37 does.
import { labelValues, list, named, record, requirement, type Json } from './field-rules.ts';
import { invalidValue, requiredValue } from './names.ts';
import type { StatusCause } from './status.ts';

const nodeOperators = ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'];

/** Nodes are told apart by labels, or by their name, one at a time. */
function nodeField(one: Json, at: string): StatusCause[] {
  const { key = '', operator = '', values } = one;
  const causes: StatusCause[] = [];
  const names = list(values) as unknown[];
  if (operator !== 'In' && operator !== 'NotIn') {
    causes.push(invalidValue(`${at}.operator`, operator, 'not a valid selector operator'));
  } else if (names.length !== 1) {
    const why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
    causes.push(requiredValue(`${at}.values`, why));
  }
  if (key !== 'metadata.name') {
    return [...causes, invalidValue(`${at}.key`, key, 'not a valid field selector key')];
  }
  return [...causes, ...names.flatMap((name, i) => named(`${at}.values[${i}]`, name, 'subdomain'))];
}

export function nodeTerm(term: unknown, field: string, checksValues = false): StatusCause[] {
  const { matchExpressions, matchFields } = record(term);
  return [
    ...list(matchExpressions).flatMap((one, index) => {
      const at = `${field}.matchExpressions[${index}]`;
      const values = checksValues ? labelValues(one['values'], `${at}.values`) : [];
      return [...requirement(one, at, nodeOperators), ...values];
    }),
    ...list(matchFields).flatMap((one, index) => nodeField(one, `${field}.matchFields[${index}]`)),
  ];
}

/** Terms of which one has to hold. */
export function nodeSelector(selector: unknown, field: string): StatusCause[] {
  const at = `${field}.nodeSelectorTerms`;
  const terms = list(record(selector)['nodeSelectorTerms']);
  if (terms.length === 0) {
    return [requiredValue(at, 'must have at least one node selector term')];
  }
  return terms.flatMap((term, index) => nodeTerm(term, `${at}[${index}]`, true));
}
