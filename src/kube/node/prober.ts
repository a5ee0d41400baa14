// Carries out probes and lifecycle hooks: HTTP, TCP, gRPC and commands in the container.
import { connect as connectHttp2 } from 'node:http2';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { connect } from 'node:net';
import type { Container, Handler, HttpGetAction } from './pod-spec.ts';
import type { ContainerPlace, Runtime } from './runtime.ts';

export interface Outcome {
  readonly outcome: 'success' | 'failure' | 'error';
  readonly message: string;
}

export interface ProbeTarget {
  readonly place: ContainerPlace;
  readonly runtime: Runtime;
  readonly podIp: string;
  readonly timeoutMs: number;
}

const outputBytesMax = 10 * 1024;
const success: Outcome = { outcome: 'success', message: '' };

function failure(message: string): Outcome {
  return { outcome: 'failure', message };
}

export async function runHandler(handler: Handler, target: ProbeTarget): Promise<Outcome> {
  const { podIp, timeoutMs, place } = target;
  try {
    if (handler.exec !== undefined) return await runCommand(handler.exec.command ?? [], target);
    if (handler.httpGet !== undefined) return await getHttp(handler.httpGet, target);
    if (handler.tcpSocket !== undefined) {
      const port = portNumber(handler.tcpSocket.port, place.container);
      return await openTcp({ host: handler.tcpSocket.host ?? podIp, port, timeoutMs });
    }
    if (handler.grpc !== undefined) {
      const { port, service = '' } = handler.grpc;
      return await checkGrpc({ host: podIp, port, service, timeoutMs });
    }
  } catch (error) {
    return { outcome: 'error', message: error instanceof Error ? error.message : String(error) };
  }
  return { outcome: 'error', message: 'missing probe handler' };
}

export function portNumber(port: number | string, container: Container): number {
  if (typeof port === 'number') return port;
  const named = container.ports?.find(({ name }) => name === port);
  if (named !== undefined) return named.containerPort;
  const number = Number(port);
  if (Number.isInteger(number) && number > 0 && number < 65536) return number;
  throw new Error(`couldn't find port ${JSON.stringify(port)} in the container`);
}

async function runCommand(command: readonly string[], target: ProbeTarget): Promise<Outcome> {
  const { runtime, place, timeoutMs } = target;
  const session = await runtime.exec(place, { command, tty: false, stdin: false });
  const pieces: Buffer[] = [];
  let size = 0;
  const collect = (chunk: Buffer): void => {
    if (size < outputBytesMax) pieces.push(chunk);
    size += chunk.length;
  };
  session.stdout.on('data', collect);
  session.stderr?.on('data', collect);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    session.kill();
  }, timeoutMs);
  const code = await session.exitCode.finally(() => clearTimeout(timer));
  if (isLate) {
    return failure(
      `command timed out: ${JSON.stringify(command.join(' '))} timed out after ${timeoutMs / 1000}s`,
    );
  }
  // Its last output may still be in the pipe when it has ended.
  await new Promise((done) => setImmediate(done));
  const text = Buffer.concat(pieces).subarray(0, outputBytesMax).toString('utf8');
  return code === 0 ? { outcome: 'success', message: text } : failure(text);
}

function getHttp(action: HttpGetAction, target: ProbeTarget): Promise<Outcome> {
  const { place, podIp, timeoutMs } = target;
  const isSecure = action.scheme === 'HTTPS';
  const host = action.host ?? podIp;
  const port = portNumber(action.port, place.container);
  const path = action.path === undefined || action.path === '' ? '/' : action.path;
  const shown = `${isSecure ? 'https' : 'http'}://${host}:${port}${path.startsWith('/') ? path : `/${path}`}`;
  const headers: Record<string, string> = { 'User-Agent': 'kube-probe/1.37', Accept: '*/*' };
  for (const { name, value } of action.httpHeaders ?? []) {
    if (name.toLowerCase() === 'user-agent') delete headers['User-Agent'];
    headers[name] = value;
  }
  return new Promise((done) => {
    const send = isSecure ? requestHttps : requestHttp;
    const sent = send(
      shown,
      { headers, agent: false, rejectUnauthorized: false, timeout: timeoutMs },
      (response) => {
        const { statusCode = 0 } = response;
        const isGood = statusCode >= 200 && statusCode < 400;
        response.resume();
        clearTimeout(timer);
        done(isGood ? success : failure(`HTTP probe failed with statuscode: ${statusCode}`));
        response.once('end', () => sent.destroy());
      },
    );
    const timer = setTimeout(() => {
      const late = 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
      done(failure(`Get "${shown}": ${late}`));
      sent.destroy();
    }, timeoutMs);
    sent.on('error', (error) => {
      clearTimeout(timer);
      done(failure(`Get "${shown}": ${dialError(error, host, port)}`));
    });
    sent.end();
  });
}

function dialError(error: Error, host: string, port: number): string {
  const { code } = error as { readonly code?: unknown };
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connect: connection refused',
    EHOSTUNREACH: 'connect: no route to host',
    ENETUNREACH: 'connect: network is unreachable',
    ETIMEDOUT: 'i/o timeout',
  };
  const known = typeof code === 'string' ? words[code] : undefined;
  return known === undefined ? error.message : `dial tcp ${host}:${port}: ${known}`;
}

interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
}

function openTcp({ host, port, timeoutMs }: Endpoint): Promise<Outcome> {
  return new Promise((done) => {
    const socket = connect({ host, port });
    const end = (outcome: Outcome): void => {
      clearTimeout(timer);
      socket.destroy();
      done(outcome);
    };
    const timer = setTimeout(
      () => end(failure(`dial tcp ${host}:${port}: i/o timeout`)),
      timeoutMs,
    );
    socket.once('connect', () => end(success));
    socket.once('error', (error) => end(failure(dialError(error, host, port))));
  });
}

/** grpc.health.v1.Health/Check, whose messages are small enough to write by hand. */
function checkGrpc(target: Endpoint & { readonly service: string }): Promise<Outcome> {
  const { host, port, service, timeoutMs } = target;
  const name = Buffer.from(service);
  const message = service === '' ? name : Buffer.concat([Buffer.from([10, name.length]), name]);
  const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
  return new Promise((done) => {
    const session = connectHttp2(`http://${host}:${port}`);
    const end = (outcome: Outcome): void => {
      clearTimeout(timer);
      session.destroy();
      done(outcome);
    };
    const late = `timeout: failed to connect service "${host}:${port}" within ${timeoutMs / 1000}s`;
    const timer = setTimeout(() => end(failure(late)), timeoutMs);
    const failed = (error: Error): void => end(failure(dialError(error, host, port)));
    session.once('error', failed);
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const pieces: Buffer[] = [];
    stream.once('error', failed);
    stream.on('data', (chunk: Buffer) => pieces.push(chunk));
    stream.once('end', () => {
      const body = Buffer.concat(pieces);
      const isServing = body.length >= 7 && body[5] === 8 && body[6] === 1;
      if (isServing) end(success);
      else end(failure('service unhealthy (responded with "NOT_SERVING")'));
    });
    stream.end(frame);
  });
}
