// The calls of etcd's v3 API that the store makes, over gRPC: range, transaction, compaction, and one
// stream of watches. Message types are the tags of etcdserverpb/rpc.proto (etcd 3.4 to 3.7).
import { readFileSync } from 'node:fs';
import {
  Client,
  credentials,
  Metadata,
  status,
  type ChannelCredentials,
  type ClientDuplexStream,
  type ServiceError,
} from '@grpc/grpc-js';
import { Codec } from '#codec/protobuf-codec.ts';
import { Schema } from '#codec/protobuf.ts';
import { Fault } from '#base/fault.ts';

const codec = new Codec(
  new Schema({
    Header: 'revision 3:l',
    KeyValue: 'key 1:b,createRevision 2:l,modRevision 3:l,version 4:l,value 5:b',
    RangeRequest: 'key 1:b,rangeEnd 2:b,limit 3:l,revision 4:l,countOnly 9:B',
    RangeResponse: 'header 1:Header,kvs+2:KeyValue,more 3:B,count 4:l',
    Put: 'key 1:b,value 2:b,lease 3:l',
    Delete: 'key 1:b,rangeEnd 2:b',
    Op: 'range 1:RangeRequest,put 2:Put,delete 3:Delete',
    OpResult: 'range 1:RangeResponse',
    Compare: 'result 1:l,target 2:l,key 3:b,version 4:l,modRevision 6:l',
    TxnRequest: 'compare+1:Compare,success+2:Op,failure+3:Op',
    TxnResponse: 'header 1:Header,succeeded 2:B,responses+3:OpResult',
    CompactionRequest: 'revision 1:l',
    CompactionResponse: 'header 1:Header',
    WatchCreate: 'key 1:b,rangeEnd 2:b,startRevision 3:l,progressNotify 4:B',
    Nothing: '',
    WatchRequest: 'create 1:WatchCreate,progress 3:Nothing',
    StatusResponse: 'version 2:s,dbSize 3:l',
    LeaseGrant: 'ttl 1:l,id 2:l',
    LeaseGranted: 'header 1:Header,id 2:l,ttl 3:l',
    Lease: 'id 1:l',
    LeaseKept: 'header 1:Header,id 2:l,ttl 3:l',
    Event: 'type 1:l,kv 2:KeyValue',
    WatchResponse:
      'header 1:Header,watchId 2:l,created 3:B,canceled 4:B,compactRevision 5:l,cancelReason 6:s,events+11:Event',
  }),
);

export interface EtcdKeyValue {
  readonly key: Uint8Array;
  readonly createRevision?: number;
  readonly modRevision?: number;
  readonly version?: number;
  readonly value?: Uint8Array;
}

interface Header {
  readonly revision?: number;
}

export interface EtcdRangeRequest {
  readonly key: Uint8Array;
  readonly rangeEnd?: Uint8Array;
  readonly limit?: number;
  readonly revision?: number;
  readonly countOnly?: boolean;
}

export interface EtcdRangeResponse {
  readonly header?: Header;
  readonly kvs?: readonly EtcdKeyValue[];
  readonly more?: boolean;
  readonly count?: number;
}

export interface EtcdOp {
  readonly range?: EtcdRangeRequest;
  readonly put?: {
    readonly key: Uint8Array;
    readonly value: Uint8Array;
    /** The key goes when the lease ends. */
    readonly lease?: number;
  };
  readonly delete?: { readonly key: Uint8Array; readonly rangeEnd?: Uint8Array };
}

export interface EtcdTxnRequest {
  readonly compare: readonly {
    readonly result: number;
    readonly target: number;
    readonly key: Uint8Array;
    readonly version?: number;
    readonly modRevision?: number;
  }[];
  readonly success: readonly EtcdOp[];
  readonly failure: readonly EtcdOp[];
}

export interface EtcdTxnResponse {
  readonly header?: Header;
  readonly succeeded?: boolean;
  readonly responses?: readonly { readonly range?: EtcdRangeResponse }[];
}

export interface EtcdWatchRequest {
  readonly create?: {
    readonly key: Uint8Array;
    readonly rangeEnd: Uint8Array;
    readonly startRevision: number;
    readonly progressNotify: boolean;
  };
  readonly progress?: object;
}

export interface EtcdWatchResponse {
  readonly header?: Header;
  readonly created?: boolean;
  readonly canceled?: boolean;
  readonly compactRevision?: number;
  readonly cancelReason?: string;
  readonly events?: readonly { readonly type?: number; readonly kv?: EtcdKeyValue }[];
}

export interface EtcdOptions {
  /** `http://host:port`, `https://host:port` or `unix:///path`, the members of one cluster. */
  readonly endpoints: readonly string[];
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

const DEADLINE_MS = 10_000;

const channelOptions = {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
};

const serialize = (message: string) => (value: object) => Buffer.from(codec.encode(message, value));
const deserialize =
  <T>(message: string) =>
  (bytes: Buffer): T =>
    codec.decode(message, bytes) as T;

export class EtcdClient {
  readonly #members: readonly Client[];
  #current = 0;

  constructor(options: EtcdOptions) {
    this.#members = [...new Set(options.endpoints)].map((endpoint) => {
      const url = new URL(endpoint);
      return new Client(addressOf(url), credentialsOf(url, options), channelOptions);
    });
    if (this.#members.length === 0) {
      throw new Fault({ code: 'bad-option' }, 'Cannot use etcd: no endpoint is named');
    }
  }

  close(): void {
    for (const member of this.#members) member.close();
  }

  async range(request: EtcdRangeRequest): Promise<EtcdRangeResponse> {
    return await this.#call('KV/Range', 'RangeRequest', 'RangeResponse', request);
  }

  async txn(request: EtcdTxnRequest): Promise<EtcdTxnResponse> {
    return await this.#call('KV/Txn', 'TxnRequest', 'TxnResponse', request);
  }

  async compact(revision: number): Promise<void> {
    await this.#call('KV/Compact', 'CompactionRequest', 'CompactionResponse', { revision });
  }

  /** `id`: chosen by the caller, so that it is a number that JavaScript can hold. */
  async grantLease(id: number, seconds: number): Promise<void> {
    await this.#call('Lease/LeaseGrant', 'LeaseGrant', 'LeaseGranted', { ttl: seconds, id });
  }

  /** Its keys go at once. */
  async revokeLease(id: number): Promise<void> {
    await this.#call('Lease/LeaseRevoke', 'Lease', 'LeaseGranted', { id });
  }

  /** Each `{ id }` that is written keeps the lease for its time; the answer's ttl is 0 when it is over. */
  keepLease(): ClientDuplexStream<{ readonly id: number }, { readonly ttl?: number }> {
    return this.#member().makeBidiStreamRequest<{ readonly id: number }, { readonly ttl?: number }>(
      '/etcdserverpb.Lease/LeaseKeepAlive',
      serialize('Lease'),
      deserialize('LeaseKept'),
    );
  }

  watch(): ClientDuplexStream<EtcdWatchRequest, EtcdWatchResponse> {
    const path = '/etcdserverpb.Watch/Watch';
    const to = serialize('WatchRequest');
    const metadata = new Metadata();
    // With a leader only: a member that is cut off ends the stream instead of falling silent.
    metadata.set('hasleader', 'true');
    return this.#member().makeBidiStreamRequest<EtcdWatchRequest, EtcdWatchResponse>(
      path,
      to,
      deserialize('WatchResponse'),
      metadata,
    );
  }

  /**
   * Whether every member tells the progress of a watch only after the events before it. Older ones (before
   * 3.4.31 and 3.5.13, etcd issue 15220) tell how far they are themselves. A silent member counts as old.
   */
  async tellsProgress(): Promise<boolean> {
    const answers = this.#members.map(async (member) => {
      const input = ['Maintenance/Status', 'Nothing', 'StatusResponse', {}] as const;
      const { version } = await this.#once<{ version?: string }>(...input, member);
      return tellsProgress(version ?? '');
    });
    return await Promise.all(answers).then(
      (all) => all.every(Boolean),
      () => false,
    );
  }

  /** Bytes of the database of each member that answers. */
  async sizes(): Promise<number[]> {
    const answers = this.#members.map(async (member) => {
      const input = ['Maintenance/Status', 'Nothing', 'StatusResponse', {}] as const;
      const { dbSize = 0 } = await this.#once<{ dbSize?: number }>(...input, member);
      return dbSize;
    });
    const all = await Promise.allSettled(answers);
    return all.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  }

  /** The next call goes to another member. */
  turn(): void {
    this.#current = (this.#current + 1) % this.#members.length;
  }

  #member(): Client {
    return this.#members[this.#current] as Client;
  }

  /** Faults `compacted`, `future-revision`, `store-unavailable` (whether it was done may be unknown). */
  async #call<T>(method: string, input: string, output: string, request: object): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once<T>(method, input, output, request);
      } catch (error) {
        const failure = error as ServiceError;
        const isLast = attempt >= this.#members.length * 2;
        if (failure.code === status.UNAVAILABLE) this.turn();
        if (isLast || !isUnsent(failure, method)) throw faultOf(method, failure);
      }
    }
  }

  #once<T>(
    method: string,
    input: string,
    output: string,
    request: object,
    member = this.#member(),
  ): Promise<T> {
    return new Promise((done, fail) => {
      member.makeUnaryRequest<object, T>(
        `/etcdserverpb.${method}`,
        serialize(input),
        deserialize<T>(output),
        request,
        new Metadata(),
        { deadline: Date.now() + DEADLINE_MS },
        (error, response) => {
          if (error !== null) fail(error);
          else done(response as T);
        },
      );
    });
  }
}

/** As upstream's checker of etcd's features decides. */
export function tellsProgress(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version
    .split('.')
    .map((part) => Number.parseInt(part, 10));
  if (major !== 3 || minor > 5) return major >= 3;
  return minor === 5 ? patch >= 13 : minor === 4 && patch >= 31;
}

function addressOf({ protocol, hostname, port, pathname }: URL): string {
  if (protocol === 'unix:') return `unix:${pathname}`;
  return `${hostname}:${port === '' ? '2379' : port}`;
}

function credentialsOf(url: URL, options: EtcdOptions): ChannelCredentials {
  if (url.protocol !== 'https:') return credentials.createInsecure();
  const read = (path: string | undefined): Buffer | null =>
    path === undefined ? null : readFileSync(path);
  const { caFile, keyFile, certFile } = options;
  return credentials.createSsl(read(caFile), read(keyFile), read(certFile));
}

/**
 * Reads may be made again; a transaction only when it never left this process, which the gRPC library's own
 * words for a connection that was never made tell. No words of a member are proof of that.
 */
function isUnsent(error: ServiceError, method: string): boolean {
  if (error.code !== status.UNAVAILABLE) return false;
  return method !== 'KV/Txn' || error.details.startsWith('No connection established');
}

function faultOf(method: string, error: ServiceError): Fault {
  const { details } = error;
  const code = /has been compacted/.test(details)
    ? 'compacted'
    : /future revision/.test(details)
      ? 'future-revision'
      : /request is too large|message larger than max/.test(details)
        ? 'store-value-too-large'
        : 'store-unavailable';
  const words = code === 'store-value-too-large' ? { words: details } : {};
  const detail = { code, method, ...words };
  return new Fault(detail, `Cannot ask etcd (${method}): ${details}`, { cause: error });
}
