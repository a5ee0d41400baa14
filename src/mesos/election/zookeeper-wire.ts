// The part of ZooKeeper's client protocol (3.4 to 3.9, "jute" records in frames) that a group of masters
// needs: sessions, ephemeral sequential nodes, children with a watch. Pure: bytes to values and back.
import { Fault } from '#base/fault.ts';

export const operations = {
  create: 1,
  delete: 2,
  getData: 4,
  getChildren: 8,
  ping: 11,
  auth: 100,
  close: -11,
} as const;

/** Of requests that answer nothing of their own. */
export const xids = { watch: -1, ping: -2, auth: -4 } as const;

export const flags = { persistent: 0, ephemeralSequential: 3 } as const;

const FRAME_BYTES_MAX = 4 * 1024 * 1024;
const PASSWORD_BYTES = 16;
/** Permissions: all, and to read. */
const ALL = 31;
const READ = 1;

/** Error numbers by the name that ZooKeeper's own clients have for them. */
const errorNames: Readonly<Record<number, string>> = {
  [-4]: 'connection-loss',
  [-101]: 'no-node',
  [-102]: 'no-auth',
  [-108]: 'no-children-for-ephemerals',
  [-110]: 'node-exists',
  [-112]: 'session-expired',
  [-114]: 'invalid-acl',
  [-115]: 'auth-failed',
};

export function zookeeperFault(error: number, path: string): Fault {
  const name = errorNames[error] ?? `error ${error}`;
  return new Fault(
    { code: 'zookeeper', zookeeper: name, path },
    `ZooKeeper refused ${path}: ${name}`,
  );
}

export class JuteWriter {
  readonly #parts: Buffer[] = [];

  int(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    this.#parts.push(bytes);
    return this;
  }

  long(value: bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(value);
    this.#parts.push(bytes);
    return this;
  }

  bool(value: boolean): this {
    this.#parts.push(Buffer.from([value ? 1 : 0]));
    return this;
  }

  buffer(value: Uint8Array): this {
    this.int(value.length);
    this.#parts.push(Buffer.from(value));
    return this;
  }

  text(value: string): this {
    return this.buffer(Buffer.from(value));
  }

  /** With its length before it. */
  frame(): Buffer {
    const body = Buffer.concat(this.#parts);
    const head = Buffer.alloc(4);
    head.writeInt32BE(body.length);
    return Buffer.concat([head, body]);
  }
}

/** Fault `bad-zookeeper` for what ends too early. */
export class JuteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  int(): number {
    return this.#take(4).readInt32BE();
  }

  long(): bigint {
    return this.#take(8).readBigInt64BE();
  }

  bool(): boolean {
    return this.#take(1)[0] !== 0;
  }

  /** A length of -1 is no buffer at all. */
  buffer(): Buffer {
    const length = this.int();
    return length < 0 ? Buffer.alloc(0) : this.#take(length);
  }

  text(): string {
    return this.buffer().toString();
  }

  texts(): string[] {
    return Array.from({ length: Math.max(0, this.int()) }, () => this.text());
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) {
      throw new Fault(
        { code: 'bad-zookeeper' },
        'Cannot read what ZooKeeper sent: it is cut short',
      );
    }
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }
}

/** Splits a stream of chunks into frames. Fault `bad-zookeeper`. */
export class FrameDecoder {
  #pending: Buffer = Buffer.alloc(0);

  push(chunk: Uint8Array): Buffer[] {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    const frames: Buffer[] = [];
    while (this.#pending.length >= 4) {
      const length = this.#pending.readInt32BE();
      if (length < 0 || length > FRAME_BYTES_MAX) {
        throw new Fault({ code: 'bad-zookeeper' }, `ZooKeeper sent a frame of ${length} bytes`);
      }
      if (this.#pending.length < 4 + length) break;
      frames.push(this.#pending.subarray(4, 4 + length));
      this.#pending = this.#pending.subarray(4 + length);
    }
    return frames;
  }
}

/** What a server remembers a client by. */
export interface Session {
  readonly id: bigint;
  readonly password: Uint8Array;
  /** As the server granted it. */
  readonly timeoutMs: number;
}

export const noSession: Session = {
  id: 0n,
  password: new Uint8Array(PASSWORD_BYTES),
  timeoutMs: 0,
};

export function connectFrame(session: Session, lastZxid: bigint, timeoutMs: number): Buffer {
  return new JuteWriter()
    .int(0)
    .long(lastZxid)
    .int(timeoutMs)
    .long(session.id)
    .buffer(session.password)
    .bool(false)
    .frame();
}

/** Undefined: the session that was asked for is over. */
export function readConnected(frame: Buffer): Session | undefined {
  const reader = new JuteReader(frame);
  reader.int();
  const timeoutMs = reader.int();
  const id = reader.long();
  const password = reader.buffer();
  return timeoutMs <= 0 || id === 0n ? undefined : { id, password, timeoutMs };
}

/**
 * What stands in front of a node: with credentials its makers may do all, everyone may read (as masters of
 * Mesos make them); without, everyone may do all.
 */
export function writeAcl(writer: JuteWriter, hasCredentials: boolean): JuteWriter {
  if (!hasCredentials) return writer.int(1).int(ALL).text('world').text('anyone');
  writer.int(2).int(READ).text('world').text('anyone');
  return writer.int(ALL).text('auth').text('');
}
