// Crash-loop and retry delays as the kubelet computes them. Pure arithmetic over plain data.

export interface Backoff {
  delayMs: number;
  updatedAt: number;
}

export const crashLoopInitialMs = 10_000;
export const crashLoopMaxMs = 300_000;
export const retryInitialMs = 500;
export const retryMaxMs = 122_000;

/** A container that ran this long after its last restart starts over with the initial delay. */
const expiryMs = 2 * crashLoopMaxMs;

/** How long to wait still before a container that ended at `finishedAt` may start again. */
export function backoffLeftMs(
  backoff: Backoff | undefined,
  { finishedAt, now }: { readonly finishedAt: number; readonly now: number },
): number {
  if (backoff === undefined || finishedAt - backoff.updatedAt > expiryMs) return 0;
  return Math.max(0, finishedAt + backoff.delayMs - now);
}

/** The backoff after a restart at `now` of a container that ended at `finishedAt`. */
export function nextBackoff(
  backoff: Backoff | undefined,
  { finishedAt, now }: { readonly finishedAt: number; readonly now: number },
): Backoff {
  const fresh = backoff === undefined || finishedAt - backoff.updatedAt > expiryMs;
  const delayMs = fresh ? crashLoopInitialMs : Math.min(backoff.delayMs * 2, crashLoopMaxMs);
  return { delayMs, updatedAt: now };
}

/** `10s`, `1m20s`, `5m0s`: a duration as Go prints it, for whole seconds. */
export function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${seconds % 60}s`;
  return `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds % 60}s`;
}

export function doubled(delayMs: number | undefined, initialMs: number, maxMs: number): number {
  return delayMs === undefined ? initialMs : Math.min(delayMs * 2, maxMs);
}
