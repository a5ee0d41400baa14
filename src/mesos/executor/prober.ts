// Runs one probe of a check: a command as a process of the host, an HTTP request or a connection to
// the task's own port. Answers what was found; what it means is decided in check-core.ts.
import { connect } from 'node:net';
import type { Timers } from '#env/env.ts';
import type { ProcessHost, ProcessSpec } from '#env/process.ts';
import type { Probe, ProbeResult } from './check-core.ts';

const REDIRECTS_MAX = 50;
/** A connection that neither succeeds nor fails is given up, also where the check has no bound. */
const UNBOUNDED_MS = 600_000;

function bounded(timeoutMs: number): number {
  return Math.min(timeoutMs, UNBOUNDED_MS);
}

/** Never rejects. Aborted by `signal`, it answers that nothing was found. */
export async function probeNetwork(
  action: Exclude<Probe['action'], { type: 'COMMAND' }>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const both = AbortSignal.any([signal, AbortSignal.timeout(bounded(timeoutMs))]);
  if (action.type === 'TCP') {
    return { type: 'TCP', succeeded: await connects(action, both) };
  }
  const host = action.host.includes(':') ? `[${action.host}]` : action.host;
  const path = action.path === '' || action.path.startsWith('/') ? action.path : `/${action.path}`;
  const url = new URL(`${action.scheme}://${host}:${action.port}${path}`);
  return { type: 'HTTP', statusCode: await statusOf(url, both, REDIRECTS_MAX) };
}

/** Undefined when it took too long. */
function connects(
  { host, port }: { readonly host: string; readonly port: number },
  signal: AbortSignal,
): Promise<boolean | undefined> {
  return new Promise((done) => {
    const socket = connect({ host, port });
    const end = (value: boolean | undefined): void => {
      signal.removeEventListener('abort', aborted);
      socket.destroy();
      done(value);
    };
    const aborted = (): void => end(undefined);
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    if (signal.aborted) aborted();
    else signal.addEventListener('abort', aborted);
  });
}

/** As `curl -L -k`: redirects are followed, a certificate is not asked for its issuer. */
async function statusOf(
  url: URL,
  signal: AbortSignal,
  redirectsLeft: number,
): Promise<number | undefined> {
  // Few agents ever ask by TLS, which takes memory.
  // Loaded by the first that needs it: most agents probe nothing.
  const { request: make } = await (url.protocol === 'https:'
    ? import('node:https')
    : import('node:http'));
  return new Promise((done) => {
    const options = { agent: false, signal, rejectUnauthorized: false, timeout: UNBOUNDED_MS };
    const request = make(url, options, (response) => {
      const { statusCode, headers } = response;
      response.destroy();
      const isRedirect = statusCode !== undefined && statusCode >= 300 && statusCode < 400;
      if (!isRedirect || headers.location === undefined) return done(statusCode);
      if (redirectsLeft === 0) return done(undefined);
      const next = URL.parse(headers.location, url);
      if (next === null || !/^https?:$/.test(next.protocol)) return done(undefined);
      return done(statusOf(next, signal, redirectsLeft - 1));
    });
    request.once('error', () => done(undefined));
    request.end();
  });
}

/** The exit code of a command; none when it took too long, was killed, or could not start. */
export async function probeCommand(
  host: ProcessHost,
  timers: Timers,
  spec: ProcessSpec,
  timeoutMs: number,
): Promise<ProbeResult> {
  try {
    const process = await host.launch(spec);
    const timer = Number.isFinite(timeoutMs)
      ? timers.after(timeoutMs, () => process.kill('SIGKILL', 'group'))
      : undefined;
    const status = await process.exited;
    timer?.cancel();
    return status.kind === 'exited'
      ? { type: 'COMMAND', exitCode: status.code }
      : { type: 'COMMAND' };
  } catch {
    return { type: 'COMMAND' };
  } finally {
    await host.dispose(spec.stateFolder).catch(() => {});
  }
}
