// The v1 executor API: SUBSCRIBE streams of RecordIO events, and the calls of executors.
import type { ServerResponse } from 'node:http';
import type { Env, Timer } from '#env/env.ts';
import { principalText, type Principal } from '#mesos/security/principal.ts';
import type { ExecutorCall, ExecutorEvent } from '#wire/mesos/v1.ts';
import { EventStreams } from './event-streams.ts';
import type { Exchange } from '#mesos/libprocess/exchange.ts';
import { acceptedType, NOT_ACCEPTABLE, type ContentType } from '#mesos/libprocess/negotiate.ts';
import { HttpProblem, notImplemented, readPlainCall, sendText } from './http.ts';
import type { AgentShell } from './shell.ts';
import type { ConnectionId, ExecutorKey } from './types.ts';

const HEARTBEAT_MS = 30 * 60_000;

export class ExecutorApi {
  readonly #shell: AgentShell;
  readonly #env: Env;
  readonly #streams: EventStreams<ExecutorEvent>;
  readonly #heartbeats = new Map<ConnectionId, Timer>();

  constructor(shell: AgentShell, env: Env, nextConnection: () => ConnectionId) {
    this.#shell = shell;
    this.#env = env;
    this.#streams = new EventStreams({ message: 'ExecutorEvent', nextConnection });
  }

  send(connection: ConnectionId, event: ExecutorEvent): void {
    this.#streams.send(connection, event);
  }

  closeStream(connection: ConnectionId): void {
    this.#streams.end(connection);
  }

  close(): void {
    for (const heartbeat of this.#heartbeats.values()) heartbeat.cancel();
    this.#heartbeats.clear();
    this.#streams.close();
  }

  async handle(exchange: Exchange): Promise<void> {
    const { request, response, principal } = exchange;
    if (this.#shell.core.master.kind === 'recovering') {
      throw new HttpProblem(503, 'Agent has not finished recovery');
    }
    const call = await readPlainCall(exchange, 'ExecutorCall');
    if (call === undefined) return;
    const key = { frameworkId: call.framework_id.value, executorId: call.executor_id.value };
    const { workloads } = this.#shell.core;
    const status = call.type === 'UPDATE' ? call.update?.status : undefined;
    const problem = callProblem(call) ?? (status && workloads.updateError(key, status));
    if (problem !== undefined) throw invalid(problem);
    const isSubscription = call.type === 'SUBSCRIBE';
    const media = isSubscription ? acceptedType(request.headers.accept) : undefined;
    if (isSubscription && media === undefined) throw new HttpProblem(406, NOT_ACCEPTABLE);
    // Mesos answers a heartbeat before it looks for the executor.
    if (call.type === 'HEARTBEAT') {
      sendText(response, 202, '');
      return;
    }
    if (!workloads.frameworks.has(key.frameworkId)) {
      throw new HttpProblem(400, 'Framework cannot be found');
    }
    const executor = workloads.executor(key);
    if (executor === undefined) throw new HttpProblem(400, 'Executor cannot be found');
    const foreign = principal && claimsProblem(principal, key, executor.containerId);
    if (foreign !== undefined) throw new HttpProblem(403, foreign);
    if (media !== undefined) {
      this.#subscribe(call, key, media, response);
      return;
    }
    if (executor.connection === undefined) {
      throw new HttpProblem(403, 'Executor is not subscribed');
    }
    this.#perform(call, key);
    sendText(response, 202, '');
  }

  #perform(call: ExecutorCall, key: ExecutorKey): void {
    switch (call.type) {
      case 'UPDATE': {
        const status = call.update?.status;
        if (status === undefined) return;
        const { agentId } = this.#shell.core;
        if (status.agent_id !== undefined && status.agent_id.value !== agentId) {
          const { value } = status.agent_id;
          throw invalid(`Received status update with agent id ${value}, expected ${agentId ?? ''}`);
        }
        this.#shell.input({ kind: 'executor-update', key, status });
        return;
      }
      case 'MESSAGE':
        this.#shell.input({
          kind: 'executor-message',
          key,
          data: call.message?.data ?? new Uint8Array(),
        });
        return;
      default:
        throw notImplemented();
    }
  }

  #subscribe(
    call: ExecutorCall,
    key: ExecutorKey,
    media: ContentType,
    response: ServerResponse,
  ): void {
    const headers = { 'Transfer-Encoding': 'chunked' };
    const connection = this.#streams.open(response, media, headers, () => {
      this.#heartbeats.get(connection)?.cancel();
      this.#heartbeats.delete(connection);
      this.#shell.input({ kind: 'executor-disconnected', connection });
    });
    this.#beat(connection);
    this.#shell.input({
      kind: 'executor-subscribed',
      key,
      connection,
      unacknowledgedTasks: call.subscribe?.unacknowledged_tasks ?? [],
      unacknowledgedUpdates: (call.subscribe?.unacknowledged_updates ?? []).map((u) => u.status),
    });
  }

  #beat(connection: ConnectionId): void {
    const heartbeat = this.#env.timers.after(HEARTBEAT_MS, () => {
      this.send(connection, { type: 'HEARTBEAT' });
      this.#beat(connection);
    });
    this.#heartbeats.set(connection, heartbeat);
  }
}

/** Why a token is not the one that this executor was given, in Mesos' words. */
function claimsProblem(
  principal: Principal,
  { frameworkId, executorId }: ExecutorKey,
  containerId: string,
): string | undefined {
  const { fid, eid, cid } = principal.claims ?? {};
  const who = `Authenticated principal '${principalText(principal)}' does not contain`;
  if (fid !== frameworkId) {
    return `${who} an 'fid' claim with the framework ID ${frameworkId}, which is set in the call`;
  }
  if (eid !== executorId) {
    return `${who} an 'eid' claim with the executor ID ${executorId}, which is set in the call`;
  }
  if (cid === containerId) return undefined;
  return `${who} a 'cid' claim with the correct active ContainerID`;
}

function invalid(problem: string): HttpProblem {
  return new HttpProblem(400, `Failed to validate Executor::Call: ${problem}`);
}

function callProblem(call: ExecutorCall): string | undefined {
  if (call.type === undefined) return "Expecting 'type' to be present";
  if (call.executor_id === undefined) return "Expecting 'executor_id' to be present";
  if (call.framework_id === undefined) return "Expecting 'framework_id' to be present";
  if (call.type === 'SUBSCRIBE' && call.subscribe === undefined) {
    return "Expecting 'subscribe' to be present";
  }
  if (call.type === 'UPDATE' && call.update === undefined) {
    return "Expecting 'update' to be present";
  }
  if (call.type === 'MESSAGE' && call.message === undefined) {
    return "Expecting 'message' to be present";
  }
  return undefined;
}
