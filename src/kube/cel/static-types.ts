// Types of expressions as the estimator of cost needs them: without their names, but for those of Kubernetes' own.
import type { CelType } from './types.ts';

export interface StaticType {
  readonly kind:
    | 'list'
    | 'map'
    | 'struct'
    | 'string'
    | 'bytes'
    | 'int'
    | 'double'
    | 'bool'
    | 'duration'
    | 'timestamp'
    | 'null'
    | 'type'
    | 'optional'
    | 'named'
    | 'dyn';
  /** Of a type that Kubernetes adds: `kubernetes.Quantity`. */
  readonly name?: string;
  readonly key?: StaticType;
  /** Of items, of a map's values, of what is optional. */
  readonly value?: StaticType;
}

const simple = (kind: StaticType['kind']): StaticType => ({ kind });
export const DYN = simple('dyn');

const kinds: Readonly<Partial<Record<CelType['kind'], StaticType>>> = {
  any: DYN,
  bool: simple('bool'),
  bytes: simple('bytes'),
  double: simple('double'),
  duration: simple('duration'),
  int: simple('int'),
  null: simple('null'),
  string: simple('string'),
  timestamp: simple('timestamp'),
  type: simple('type'),
  uint: simple('int'),
};

export function staticType(type: CelType): StaticType {
  const [first, second] = type.params;
  switch (type.kind) {
    case 'list':
      return { kind: 'list', value: first === undefined ? DYN : staticType(first) };
    case 'map': {
      const [key, value] = [first, second].map((one) =>
        one === undefined ? DYN : staticType(one),
      );
      return { kind: 'map', key: key ?? DYN, value: value ?? DYN };
    }
    case 'opaque':
      if (type.name === 'optional_type' && first !== undefined)
        return { kind: 'optional', value: staticType(first) };
      return { kind: 'named', name: type.name };
    case 'struct':
      return type.name.startsWith('kubernetes.')
        ? { kind: 'named', name: type.name }
        : { kind: 'struct' };
    default:
      return kinds[type.kind] ?? DYN;
  }
}

/** Whether all values are of one size: neither texts nor collections. */
export function isScalar(type: StaticType): boolean {
  switch (type.kind) {
    case 'bool':
    case 'double':
    case 'duration':
    case 'int':
    case 'timestamp':
      return true;
    case 'optional':
      return isScalar(type.value ?? DYN);
    default:
      return false;
  }
}
