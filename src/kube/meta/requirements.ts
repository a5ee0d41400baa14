// Whether a value meets one requirement of a label or node selector (apimachinery's
// labels.Requirement, v0.37; core/v1 NodeSelectorRequirement).

export interface Requirement {
  readonly operator: string;
  readonly values?: readonly string[] | undefined;
}

/** `value`: undefined when there is no such label. What is no whole number is neither more nor less. */
export function isMet({ operator, values = [] }: Requirement, value: string | undefined): boolean {
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
      if (!/^[-+]?\d+$/.test(value) || !/^[-+]?\d+$/.test(bound)) return false;
      const [own, other] = [BigInt(value.replace(/^\+/, '')), BigInt(bound.replace(/^\+/, ''))];
      return operator === 'Gt' ? own > other : own < other;
    }
    default:
      return false;
  }
}
