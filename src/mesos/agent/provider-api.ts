// The v1 resource provider API: SUBSCRIBE streams of RecordIO events, and the calls of providers, with
// the words of Mesos 1.11.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Env } from '#env/env.ts';
import type {
  ResourceProviderCall,
  ResourceProviderEvent,
  ResourceProviderInfo,
} from '#wire/mesos/v1.ts';
import { EventStreams } from './event-streams.ts';
import type { Exchange } from '#mesos/libprocess/exchange.ts';
import { acceptedType, NOT_ACCEPTABLE, type ContentType } from '#mesos/libprocess/negotiate.ts';
import { HttpProblem, notImplemented, readPlainCall, sendText } from './http.ts';
import type { AgentShell } from './shell.ts';
import type { ConnectionId } from './types.ts';

export class ProviderApi {
  readonly #shell: AgentShell;
  readonly #env: Env;
  readonly #streams: EventStreams<ResourceProviderEvent>;
  /** What each stream's calls must name. */
  readonly #ids = new Map<ConnectionId, string>();

  constructor(shell: AgentShell, env: Env, nextConnection: () => ConnectionId) {
    this.#shell = shell;
    this.#env = env;
    this.#streams = new EventStreams({ message: 'ResourceProviderEvent', nextConnection });
  }

  send(connection: ConnectionId, event: ResourceProviderEvent): void {
    this.#streams.send(connection, event);
  }

  closeStream(connection: ConnectionId): void {
    this.#streams.end(connection);
  }

  close(): void {
    this.#streams.close();
    this.#ids.clear();
  }

  async handle(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    // Its id is part of what providers are remembered under.
    if (this.#shell.core.agentId === undefined) throw new HttpProblem(503, '');
    const call = await readPlainCall(exchange, 'ResourceProviderCall');
    if (call === undefined) return;
    const problem = callProblem(call);
    if (problem !== undefined) {
      throw new HttpProblem(400, `Failed to validate resource_provider::Call: ${problem}`);
    }
    if (call.type === 'SUBSCRIBE') {
      this.#subscribe(call, request, response);
      return;
    }
    const id = call.resource_provider_id?.value ?? '';
    const provider = this.#shell.core.providers.subscribed.get(id);
    if (provider === undefined) throw new HttpProblem(400, 'Resource provider is not subscribed');
    const inconsistent = inconsistency(call, provider.info);
    if (inconsistent !== undefined) {
      throw new HttpProblem(400, `Inconsistent call: ${inconsistent}`);
    }
    const stream = streamIdOf(request);
    if (stream === undefined) {
      const words = "All non-subscribe calls should include to 'Mesos-Stream-Id' header";
      throw new HttpProblem(400, words);
    }
    if (this.#ids.get(provider.connection) !== stream) {
      throw new HttpProblem(
        400,
        `The stream ID '${stream}' included in this request didn't match the stream ID currently ` +
          `associated with  resource provider ID ${id}`,
      );
    }
    if (call.type === 'UNKNOWN') throw notImplemented();
    this.#shell.input({ kind: 'provider-call', id, call });
    sendText(response, 202, '');
  }

  #subscribe(call: ResourceProviderCall, request: IncomingMessage, response: ServerResponse): void {
    const media = streamMedia(request);
    if (streamIdOf(request) !== undefined) {
      throw new HttpProblem(400, "Subscribe calls should not include the 'Mesos-Stream-Id' header");
    }
    const info = call.subscribe?.resource_provider_info ?? { type: '', name: '' };
    const id = this.#env.random.uuid();
    const connection = this.#streams.open(response, media, { 'Mesos-Stream-Id': id }, () => {
      this.#ids.delete(connection);
      this.#shell.input({ kind: 'provider-disconnected', connection });
    });
    this.#ids.set(connection, id);
    this.#shell.input({ kind: 'provider-subscribed', connection, info });
  }
}

/** HttpProblem 406 */
function streamMedia({ headers }: IncomingMessage): ContentType {
  const media = acceptedType(headers.accept);
  if (media === undefined) throw new HttpProblem(406, NOT_ACCEPTABLE);
  return media;
}

function streamIdOf({ headers }: IncomingMessage): string | undefined {
  const value = headers['mesos-stream-id'];
  return Array.isArray(value) ? value[0] : value;
}

const bodies = {
  SUBSCRIBE: 'subscribe',
  UPDATE_OPERATION_STATUS: 'update_operation_status',
  UPDATE_STATE: 'update_state',
  UPDATE_PUBLISH_RESOURCES_STATUS: 'update_publish_resources_status',
} as const;

function callProblem(call: ResourceProviderCall): string | undefined {
  const { type } = call;
  if (type === undefined) return "Expecting 'type' to be present";
  if (type === 'UNKNOWN') return undefined;
  if (type !== 'SUBSCRIBE' && call.resource_provider_id === undefined) {
    return "Expecting 'resource_provider_id' to be present";
  }
  if (call[bodies[type]] !== undefined) return undefined;
  const end = type === 'UPDATE_PUBLISH_RESOURCES_STATUS' ? '.' : '';
  return `Expecting '${bodies[type]}' to be present${end}`;
}

/** It speaks of what is another provider's. */
function inconsistency(
  { update_state, update_operation_status }: ResourceProviderCall,
  { id }: ResourceProviderInfo,
): string | undefined {
  const isMine = (one: { readonly value: string } | undefined): boolean => one?.value === id?.value;
  const words = 'Inconsistent resource provider ID in';
  if (update_operation_status !== undefined) {
    const { status, latest_status } = update_operation_status;
    const isOk =
      isMine(status.resource_provider_id) &&
      (latest_status === undefined || isMine(latest_status.resource_provider_id));
    return isOk ? undefined : `${words} 'update_operation_status'`;
  }
  if ((update_state?.resources ?? []).every(({ provider_id }) => isMine(provider_id))) {
    return undefined;
  }
  return `${words} 'update_state'`;
}
