// Decides when the check and the health check of one task are run and what their results mean: a
// changed check status, a healthy or unhealthy task, one to be killed. Runs nothing itself.
import type { Instant } from '#env/env.ts';
import type { CheckInfo, CheckStatusInfo, CommandInfo, HealthCheck } from '#wire/mesos/v1.ts';

export type CheckKind = 'check' | 'health';

/** One run of a check: what is done, and for how long at most. */
export interface Probe {
  readonly kind: CheckKind;
  /** Infinite: no bound. */
  readonly timeoutMs: number;
  readonly action:
    | { readonly type: 'COMMAND'; readonly command: CommandInfo }
    | {
        readonly type: 'HTTP';
        readonly scheme: 'http' | 'https';
        readonly host: string;
        readonly port: number;
        readonly path: string;
      }
    | { readonly type: 'TCP'; readonly host: string; readonly port: number };
}

/** What a probe found; a missing value is one that could not be had, a timeout included. */
export type ProbeResult =
  | { readonly type: 'COMMAND'; readonly exitCode?: number | undefined }
  | { readonly type: 'HTTP'; readonly statusCode?: number | undefined }
  | { readonly type: 'TCP'; readonly succeeded?: boolean | undefined };

export type CheckNews =
  | { readonly kind: 'check-status'; readonly status: CheckStatusInfo }
  | { readonly kind: 'health'; readonly healthy: boolean; readonly kill: boolean };

/** What an earlier life of the executor had found out. */
export interface CheckHistory {
  readonly healthy: boolean | undefined;
  readonly status: CheckStatusInfo | undefined;
}

// The defaults of mesos.proto.
const DELAY_S = 15;
const INTERVAL_S = 10;
const TIMEOUT_S = 20;
const CONSECUTIVE_FAILURES = 3;
const GRACE_S = 10;

interface Schedule {
  readonly probe: Probe;
  readonly delayMs: number;
  readonly intervalMs: number;
  /** Infinite while it runs, and before the task does. */
  at: Instant;
}

function times(info: CheckInfo | HealthCheck): { delayMs: number; intervalMs: number } {
  return {
    delayMs: (info.delay_seconds ?? DELAY_S) * 1000,
    intervalMs: (info.interval_seconds ?? INTERVAL_S) * 1000,
  };
}

/** Zero means no bound, as in Mesos. */
function timeoutMsOf(info: CheckInfo | HealthCheck): number {
  const seconds = info.timeout_seconds ?? TIMEOUT_S;
  return seconds === 0 ? Infinity : seconds * 1000;
}

function hostOf(protocol: string | undefined): string {
  return protocol === 'IPv6' ? '::1' : '127.0.0.1';
}

function checkAction(info: CheckInfo): Probe['action'] | undefined {
  if (info.type === 'COMMAND' && info.command !== undefined) {
    return { type: 'COMMAND', command: info.command.command };
  }
  if (info.type === 'HTTP' && info.http !== undefined) {
    const { port, path = '' } = info.http;
    return { type: 'HTTP', scheme: 'http', host: hostOf(undefined), port, path };
  }
  if (info.type === 'TCP' && info.tcp !== undefined) {
    return { type: 'TCP', host: hostOf(undefined), port: info.tcp.port };
  }
  return undefined;
}

function healthAction(info: HealthCheck): Probe['action'] | undefined {
  const { type, command, http, tcp } = info;
  if (type === 'HTTP' || (type === undefined && http !== undefined)) {
    if (http === undefined) return undefined;
    const scheme = http.scheme === 'https' ? 'https' : 'http';
    const { port, path = '' } = http;
    return { type: 'HTTP', scheme, host: hostOf(http.protocol), port, path };
  }
  if (type === 'TCP' && tcp !== undefined) {
    return { type: 'TCP', host: hostOf(tcp.protocol), port: tcp.port };
  }
  return command === undefined ? undefined : { type: 'COMMAND', command };
}

function scheduleOf(
  kind: CheckKind,
  info: CheckInfo | HealthCheck | undefined,
  action: Probe['action'] | undefined,
): Schedule | undefined {
  if (info === undefined || action === undefined) return undefined;
  const probe = { kind, timeoutMs: timeoutMsOf(info), action };
  return { probe, ...times(info), at: Infinity };
}

/** `{ type, command: {} }`: a check is defined and has found nothing yet. */
export function unknownStatus(info: CheckInfo | undefined): CheckStatusInfo | undefined {
  switch (info?.type) {
    case 'COMMAND':
      return { type: 'COMMAND', command: {} };
    case 'HTTP':
      return { type: 'HTTP', http: {} };
    case 'TCP':
      return { type: 'TCP', tcp: {} };
    default:
      return undefined;
  }
}

function statusOf(result: ProbeResult): CheckStatusInfo {
  const { type } = result;
  switch (type) {
    case 'COMMAND':
      return {
        type,
        command: result.exitCode === undefined ? {} : { exit_code: result.exitCode },
      };
    case 'HTTP':
      return {
        type,
        http: result.statusCode === undefined ? {} : { status_code: result.statusCode },
      };
    default:
      return { type, tcp: result.succeeded === undefined ? {} : { succeeded: result.succeeded } };
  }
}

function valueOf(status: CheckStatusInfo | undefined): unknown {
  return status?.command?.exit_code ?? status?.http?.status_code ?? status?.tcp?.succeeded;
}

function isHealthy(result: ProbeResult): boolean {
  switch (result.type) {
    case 'COMMAND':
      return result.exitCode === 0;
    case 'HTTP':
      return result.statusCode !== undefined && result.statusCode >= 200 && result.statusCode < 400;
    default:
      return result.succeeded === true;
  }
}

/** Semantics of Mesos 1.11's checker and health checker libraries. */
export class TaskChecks {
  readonly #check: Schedule | undefined;
  readonly #health: Schedule | undefined;
  readonly #failuresMax: number;
  readonly #graceMs: number;
  #startedAt: Instant = Infinity;
  /** Never healthy yet: failures within the grace period do not count. */
  #isInitializing = true;
  #failureCount = 0;
  #healthy: boolean | undefined;
  #status: CheckStatusInfo | undefined;
  #isStopped = false;

  constructor(check: CheckInfo | undefined, health: HealthCheck | undefined) {
    this.#check = scheduleOf('check', check, check && checkAction(check));
    this.#health = scheduleOf('health', health, health && healthAction(health));
    this.#failuresMax = health?.consecutive_failures ?? CONSECUTIVE_FAILURES;
    this.#graceMs = (health?.grace_period_seconds ?? GRACE_S) * 1000;
    this.#status = unknownStatus(check);
  }

  /** What a status of the running task says. */
  get healthy(): boolean | undefined {
    return this.#healthy;
  }

  get status(): CheckStatusInfo | undefined {
    return this.#status;
  }

  /** The task runs since `now`; `history`: of the executor's earlier life. */
  start(now: Instant, history?: CheckHistory | undefined): void {
    this.#startedAt = now;
    if (history?.healthy !== undefined) {
      this.#healthy = history.healthy;
      if (history.healthy) this.#isInitializing = false;
    }
    this.#status = history?.status ?? this.#status;
    for (const one of this.#schedules()) one.at = now + one.delayMs;
  }

  /** Results that still come are of no interest. */
  stop(): void {
    this.#isStopped = true;
    for (const one of this.#schedules()) one.at = Infinity;
  }

  nextAt(): Instant {
    return Math.min(this.#check?.at ?? Infinity, this.#health?.at ?? Infinity);
  }

  /** The probes to start now; each is answered by `probed`. */
  takeDue(now: Instant): readonly Probe[] {
    const due = this.#schedules().filter((one) => one.at <= now);
    for (const one of due) one.at = Infinity;
    return due.map((one) => one.probe);
  }

  probed(kind: CheckKind, result: ProbeResult, now: Instant): CheckNews | undefined {
    const schedule = kind === 'check' ? this.#check : this.#health;
    if (schedule === undefined || this.#isStopped) return undefined;
    schedule.at = now + schedule.intervalMs;
    if (kind === 'health') return isHealthy(result) ? this.#succeeded() : this.#failed(now);
    const status = statusOf(result);
    if (valueOf(status) === valueOf(this.#status)) return undefined;
    this.#status = status;
    return { kind: 'check-status', status };
  }

  #succeeded(): CheckNews | undefined {
    const isNews = this.#isInitializing || this.#failureCount > 0;
    this.#failureCount = 0;
    this.#isInitializing = false;
    this.#healthy = true;
    return isNews ? { kind: 'health', healthy: true, kill: false } : undefined;
  }

  #failed(now: Instant): CheckNews | undefined {
    const isInGrace = this.#graceMs > 0 && now - this.#startedAt <= this.#graceMs;
    if (this.#isInitializing && isInGrace) return undefined;
    this.#failureCount += 1;
    this.#healthy = false;
    return { kind: 'health', healthy: false, kill: this.#failureCount >= this.#failuresMax };
  }

  #schedules(): readonly Schedule[] {
    return [this.#check, this.#health].filter((one) => one !== undefined);
  }
}
