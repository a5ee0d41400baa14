// The audit of an API server: its policy, and where events go; one record for each request that is of interest.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Fault } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import { durationFlag, textFlag, type AccessFlags } from '#kube/apiserver/flag-values.ts';
import { readEndpoint } from '#kube/apiserver/kubeconfig-endpoint.ts';
import type { AccessRequest } from '#kube/apiserver/rbac.ts';
import type { Status } from '#kube/meta/status.ts';
import { LogFile } from './log-file.ts';
import { extentOf, readPolicy, type AuditPolicy } from './policy.ts';
import { AuditRecord, type AuditSink } from './record.ts';
import { AuditWebhook } from './webhook.ts';

const ID_CHARACTERS_MAX = 64;

/** The client's own identity of the request, and its address. */
interface Origin {
  readonly id: string;
  readonly remote: string | undefined;
}

interface Backend extends AuditSink {
  close(): Promise<void>;
}

/** The client's own identity of the request, or a new one; the answer carries it. */
export function auditIdOf(request: IncomingMessage): string {
  const given = request.headers['audit-id'];
  return typeof given === 'string' && given !== ''
    ? given.slice(0, ID_CHARACTERS_MAX)
    : randomUUID();
}

/** Proxies before this server name whom they speak for. */
function sourceIps(request: IncomingMessage, remote: string | undefined): string[] {
  const forwarded = String(request.headers['x-forwarded-for'] ?? '');
  const all = forwarded.split(',').map((one) => one.trim());
  const real = String(request.headers['x-real-ip'] ?? '');
  const own = (remote ?? '').replace(/^::ffff:/, '');
  const named = [...all, real].filter((one) => one !== '');
  return [...new Set(own === '' || named.at(-1) === own ? named : [...named, own])];
}

function modeOf(flags: AccessFlags): 'blocking' | 'batch' {
  const mode = textFlag(flags, 'audit-log-mode') ?? 'blocking';
  if (mode === 'blocking' || mode === 'batch') return mode;
  const why = `"${mode}" is none of blocking, batch`;
  throw new Fault({ code: 'bad-option', mode }, `Cannot use --audit-log-mode: ${why}`);
}

export class Audit {
  readonly #policy: AuditPolicy;
  readonly #backends: readonly Backend[];
  readonly #env: Env;

  private constructor(policy: AuditPolicy, backends: readonly Backend[], env: Env) {
    this.#policy = policy;
    this.#backends = backends;
    this.#env = env;
  }

  /** Undefined when nothing is to be written down. Throws Fault for files that cannot be used. */
  static of(flags: AccessFlags, env: Env): Audit | undefined {
    const policy = textFlag(flags, 'audit-policy-file');
    const path = textFlag(flags, 'audit-log-path');
    const webhook = textFlag(flags, 'audit-webhook-config-file');
    if (policy === undefined || (path === undefined && webhook === undefined)) return undefined;
    const number = (flag: string, preset: number): number =>
      Number(textFlag(flags, flag) ?? preset);
    const backends: Backend[] = [];
    if (path !== undefined) {
      const options = {
        path,
        maxSizeMib: number('audit-log-maxsize', 100),
        maxBackups: number('audit-log-maxbackup', 100),
        maxAgeDays: number('audit-log-maxage', 366),
        format: textFlag(flags, 'audit-log-format') === 'legacy' ? 'legacy' : 'json',
        mode: modeOf(flags),
      } as const;
      backends.push(new LogFile(options, env));
    }
    if (webhook !== undefined) {
      const options = {
        endpoint: readEndpoint(webhook),
        batchMax: number('audit-webhook-batch-max-size', 400),
        bufferMax: number('audit-webhook-batch-buffer-size', 10_000),
        waitMs: durationFlag(flags, 'audit-webhook-batch-max-wait', '30s'),
      };
      backends.push(new AuditWebhook(options, env));
    }
    return new Audit(readPolicy(policy), backends, env);
  }

  /** There is one event of what is refused before it is known who asks. */
  refused(
    request: IncomingMessage,
    access: AccessRequest,
    origin: Origin,
    { status, message, reason, code }: Status,
  ): void {
    this.begin(request, access, origin)?.refused({ status, message, reason, code });
  }

  /** Undefined for requests that no rule wants. `user` of `access` is who really asks. */
  begin(request: IncomingMessage, access: AccessRequest, origin: Origin): AuditRecord | undefined {
    const extent = extentOf(this.#policy, access);
    if (extent.level === 'None') return undefined;
    const record = new AuditRecord({
      id: origin.id,
      uri: request.url ?? '/',
      userAgent: String(request.headers['user-agent'] ?? ''),
      sourceIps: sourceIps(request, origin.remote),
      access,
      extent,
      nowUs: () => this.#env.clock.now() * 1_000,
      sink: { write: (event) => this.#backends.forEach((one) => one.write(event)) },
    });
    return record;
  }

  async close(): Promise<void> {
    await Promise.all(this.#backends.map((one) => one.close()));
  }
}

/** The record is told when the answer begins (of what takes long) and when it is over, whatever it is. */
export function followAnswer(
  { audit, response }: { audit?: AuditRecord | undefined; response: ServerResponse },
  isLongRunning: boolean,
): void {
  if (audit === undefined) return;
  response.once('close', () => audit.complete());
  // Who has read an answer to its end finds it in the log.
  const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse;
  Object.assign(response, {
    end(...args: unknown[]): ServerResponse {
      audit.complete();
      return end(...args);
    },
  });
  if (!isLongRunning) return;
  const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse;
  Object.assign(response, {
    writeHead(...args: unknown[]): ServerResponse {
      audit.started(Number(args[0]));
      return writeHead(...args);
    },
  });
}
