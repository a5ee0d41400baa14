// API errors: the `Status` object of meta/v1, as an exception. Reasons, codes and the wording of the
// messages are those of k8s.io/apimachinery v0.37 (pkg/api/errors).

export interface StatusCause {
  readonly reason?: string;
  readonly message: string;
  readonly field?: string;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly Partial<StatusCause>[];
  readonly retryAfterSeconds?: number;
}

export interface Status {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: Record<string, unknown>;
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: string;
  readonly details?: StatusDetails;
  readonly code: number;
}

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: number;
  /** Empty for what upstream leaves unclassified; then the answer has none. */
  readonly reason: string;
  readonly details: StatusDetails | undefined;
  /** List metadata: an expired list may still say how to go on. */
  readonly metadata: Record<string, unknown>;
  constructor(
    code: number,
    reason: string,
    message: string,
    details?: StatusDetails,
    metadata: Record<string, unknown> = {},
  ) {
    super(message);
    this.metadata = metadata;
    this.code = code;
    this.reason = reason;
    this.details = details;
  }
  toStatus(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.metadata,
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }
}

export interface ResourceName {
  readonly group: string;
  /** Plural, as errors name it. */
  readonly resource: string;
}

function qualified({ group, resource }: ResourceName): string {
  return group === '' ? resource : `${resource}.${group}`;
}

function named(of: ResourceName, name: string): StatusDetails {
  return {
    ...(name === '' ? {} : { name }),
    ...(of.group === '' ? {} : { group: of.group }),
    kind: of.resource,
  };
}

export function notFound(of: ResourceName, name: string): ApiError {
  return new ApiError(404, 'NotFound', `${qualified(of)} "${name}" not found`, named(of, name));
}

export function alreadyExists(of: ResourceName, name: string): ApiError {
  return new ApiError(
    409,
    'AlreadyExists',
    `${qualified(of)} "${name}" already exists`,
    named(of, name),
  );
}

export function conflict(of: ResourceName, name: string, why: string): ApiError {
  return new ApiError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(of)} "${name}": ${why}`,
    named(of, name),
  );
}

export function methodNotAllowed(): ApiError {
  const message = 'the server does not allow this method on the requested resource';
  return new ApiError(405, 'MethodNotAllowed', message, {});
}

/** Of a resource whose handler knows what it does not do. */
export function unsupported(of: ResourceName, verb: string): ApiError {
  const message = `${verb} is not supported on resources of kind "${qualified(of)}"`;
  return new ApiError(405, 'MethodNotAllowed', message, named(of, ''));
}

export function badRequest(message: string): ApiError {
  return new ApiError(400, 'BadRequest', message);
}

/** Several failures as one text, as Go has them (errors.Aggregate of k8s.io/apimachinery). */
export function joinedFailures(all: readonly string[]): string {
  const told = [...new Set(all)];
  return told.length === 1 ? (told[0] ?? '') : `[${told.join(', ')}]`;
}

/** What several values have in common is told once. */
function eachOnce(causes: readonly StatusCause[]): StatusCause[] {
  const known = new Map(causes.map((one) => [`${one.field}: ${one.reason} ${one.message}`, one]));
  return [...known.values()];
}

/** `of` is the KIND here, as upstream names it in Invalid errors: `Pod "x" is invalid: …`. */
export function invalid(
  kind: { group: string; kind: string },
  name: string,
  told: readonly StatusCause[],
): ApiError {
  const causes = told.length < 2 ? told : eachOnce(told);
  const full = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  const lines = causes.map((cause) => `${cause.field ?? ''}: ${cause.message}`);
  const text = lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`;
  return new ApiError(422, 'Invalid', `${full} "${name}" is invalid: ${text ?? ''}`, {
    ...(name === '' ? {} : { name }),
    ...(kind.group === '' ? {} : { group: kind.group }),
    ...(kind.kind === '' ? {} : { kind: kind.kind }),
    causes,
  });
}

export function unauthorized(): ApiError {
  return new ApiError(401, 'Unauthorized', 'Unauthorized');
}

export function expired(message: string): ApiError {
  return new ApiError(410, 'Expired', message);
}
