// The v1 resource provider API: SUBSCRIBE streams of RecordIO events, and the calls of providers, with
// the words of Mesos 1.11.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { faultCode } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import { decode, parseJson } from '#wire/mesos/codec.ts';
import type {
  ResourceProviderCall,
  ResourceProviderEvent,
  ResourceProviderInfo,
} from '#wire/mesos/v1.ts';
import { EventStreams } from './event-streams.ts';
import type { Exchange } from './exchange.ts';
import {
  acceptedMedia,
  HttpProblem,
  JSON_MEDIA,
  type Media,
  PROTOBUF_MEDIA,
  readBody,
  sendText,
} from './http.ts';
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

  async handle({ request, response }: Exchange): Promise<void> {
    // Its id is part of what providers are remembered under.
    if (this.#shell.core.agentId === undefined) throw new HttpProblem(503, '');
    const call = await readCall(request);
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
    if (call.type === 'UNKNOWN') throw new HttpProblem(501, '');
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

function streamMedia(request: IncomingMessage): Media {
  try {
    return acceptedMedia(request);
  } catch (error) {
    if (!(error instanceof HttpProblem)) throw error;
    const text = `Expecting 'Accept' to allow '${PROTOBUF_MEDIA}' or '${JSON_MEDIA}'`;
    throw new HttpProblem(error.status, text);
  }
}

function streamIdOf({ headers }: IncomingMessage): string | undefined {
  const value = headers['mesos-stream-id'];
  return Array.isArray(value) ? value[0] : value;
}

async function readCall(request: IncomingMessage): Promise<ResourceProviderCall> {
  if (request.method !== 'POST') {
    const text = `405 Method Not Allowed. Expecting one of { 'POST' }, but received '${request.method ?? ''}'.`;
    throw new HttpProblem(405, text, { Allow: 'POST' });
  }
  const media = request.headers['content-type'];
  if (media === undefined) throw new HttpProblem(400, "Expecting 'Content-Type' to be present");
  const body = await readBody(request);
  if (media !== JSON_MEDIA && media !== PROTOBUF_MEDIA) {
    throw new HttpProblem(415, `Expecting 'Content-Type' of ${JSON_MEDIA} or ${PROTOBUF_MEDIA}`);
  }
  try {
    return media === JSON_MEDIA
      ? parseJson<'ResourceProviderCall'>('ResourceProviderCall', body.toString('utf8'))
      : decode('ResourceProviderCall', body);
  } catch (error) {
    if (faultCode(error) === undefined) throw error;
    if (media === PROTOBUF_MEDIA) {
      throw new HttpProblem(400, 'Failed to parse body into Call protobuf');
    }
    const why = error instanceof Error ? error.message : String(error);
    throw new HttpProblem(400, `Failed to parse body into JSON: ${why}`);
  }
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
