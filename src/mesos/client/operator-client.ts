// The v1 operator API of master or agent: single calls, and the master's event stream.
import type { Env } from '#env/env.ts';
import type { TlsSettings } from '#mesos/security/tls-settings.ts';
import { parseJson, stringify } from '#wire/mesos/codec.ts';
import type {
  AgentCall,
  AgentResponse,
  MasterCall,
  MasterEvent,
  MasterResponse,
} from '#wire/mesos/v1.ts';
import { openRecordStream, post, type RecordStream } from './http.ts';

export interface OperatorOptions {
  readonly url: string;
  readonly authorization?: string | undefined;
  readonly tls?: TlsSettings | undefined;
}

function headersOf(options: OperatorOptions): Record<string, string> {
  return options.authorization === undefined ? {} : { Authorization: options.authorization };
}

export async function callMaster(
  options: OperatorOptions,
  call: MasterCall,
): Promise<MasterResponse> {
  const body = await post({
    url: `${options.url}/api/v1`,
    body: stringify('MasterCall', call),
    contentType: 'application/json',
    headers: headersOf(options),
    tls: options.tls,
  });
  return body.length === 0 ? {} : parseJson('MasterResponse', body.toString());
}

export async function callAgent(options: OperatorOptions, call: AgentCall): Promise<AgentResponse> {
  const body = await post({
    url: `${options.url}/api/v1`,
    body: stringify('AgentCall', call),
    contentType: 'application/json',
    headers: headersOf(options),
    tls: options.tls,
  });
  return body.length === 0 ? {} : parseJson('AgentResponse', body.toString());
}

export interface MasterEventHandlers {
  readonly onEvent: (event: MasterEvent) => void;
  readonly onEnd: () => void;
}

/** The events of the master; the first is SUBSCRIBED with its whole state. */
export async function subscribeToMaster(
  options: OperatorOptions,
  handlers: MasterEventHandlers,
  env: Env,
): Promise<RecordStream> {
  return await openRecordStream(
    {
      url: `${options.url}/api/v1`,
      body: stringify('MasterCall', { type: 'SUBSCRIBE' }),
      contentType: 'application/json',
      headers: headersOf(options),
      tls: options.tls,
    },
    {
      onRecord: (record) =>
        handlers.onEvent(parseJson('MasterEvent', Buffer.from(record).toString())),
      onEnd: (error) => {
        if (error !== undefined) env.log.warn('The event stream of the master broke', { error });
        handlers.onEnd();
      },
    },
  );
}
