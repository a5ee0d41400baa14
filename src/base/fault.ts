// An expected failure: a stable code for programs and tests, a message for people.

export interface FaultDetail {
  readonly code: string;
  readonly [field: string]: unknown;
}

/**
 * Thrown by shells for failures that can happen in a correct program (bad input, a full disk, a
 * peer that went away). Message: failed action, colon, current state. Tests compare `detail.code`.
 */
export class Fault extends Error {
  override readonly name = 'Fault';
  readonly detail: FaultDetail;
  constructor(detail: FaultDetail, message: string, options?: ErrorOptions) {
    super(message, options);
    this.detail = detail;
  }
}

export function faultCode(error: unknown): string | undefined {
  return error instanceof Fault ? error.detail.code : undefined;
}

/** The messages of an error and of its causes, joined by ": ", without repeats. */
export function errorChain(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; current !== undefined && current !== null && depth < 10; depth++) {
    const message = current instanceof Error ? current.message : String(current);
    if (!parts.some((part) => part.includes(message))) parts.push(message);
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join(': ');
}
