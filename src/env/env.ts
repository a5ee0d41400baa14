// The ports through which all non-determinism enters: time, randomness, disk, processes, logs.
// Real adapters are in env/node/, the virtual world is in env/sim/; both pass env/conformance/.

/** Milliseconds since the Unix epoch. */
export type Instant = number;

export interface Clock {
  now(): Instant;
  /** Milliseconds that only grow, from an arbitrary start. */
  monotonicMs(): number;
}

export interface Timer {
  cancel(): void;
}

export interface Timers {
  /** Calls `fire` once, not before `delayMs` have passed. */
  after(delayMs: number, fire: () => void): Timer;
}

export interface Random {
  bytes(length: number): Uint8Array;
  /** A version 4 UUID in lower case. */
  uuid(): string;
  /** Uniform in [0, 1). */
  next(): number;
}

export type LogFields = Readonly<Record<string, unknown>>;

/** A log line is a constant message with fields; an error is logged once, where it is handled. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Log;
}

/** What nearly every shell needs. Built once in bin/ or sim/. */
export interface Env {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
}
