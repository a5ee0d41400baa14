// Which states of an operation on resources are its end (Mesos 1.11).
import type { OperationState } from './v1.ts';

const terminal: ReadonlySet<OperationState> = new Set<OperationState>([
  'OPERATION_FINISHED',
  'OPERATION_FAILED',
  'OPERATION_ERROR',
  'OPERATION_DROPPED',
  'OPERATION_GONE_BY_OPERATOR',
]);

export function isTerminalOperation(state: OperationState): boolean {
  return terminal.has(state);
}
