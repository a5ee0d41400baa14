// Events as lines of a file, or of the standard output; a file that is full is put aside under its time, and
// old ones go. A line is with the operating system before its request goes on (mode `blocking`), or waits in
// memory up to a bound, and what does not fit is lost and told (`batch`).
import {
  closeSync,
  createWriteStream,
  openSync,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
  type WriteStream,
} from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import type { Env } from '#env/env.ts';
import type { AuditSink } from './record.ts';

const WAITING_BYTES_MAX = 64 * 1_024 * 1_024;
const MIB = 1_024 * 1_024;
const DAY_MS = 86_400_000;

export interface LogFileOptions {
  /** `-`: standard output. */
  readonly path: string;
  readonly maxSizeMib: number;
  /** 0: no bound. */
  readonly maxBackups: number;
  readonly maxAgeDays: number;
  /** `legacy`: one line of key=value each. */
  readonly format: 'json' | 'legacy';
  readonly mode: 'blocking' | 'batch';
}

/** Where lines go; `waiting` are bytes that are not with the operating system yet. */
interface Output {
  readonly waiting: number;
  write(line: string): void;
  /** Resolves when everything is with the operating system. */
  end(): Promise<void>;
}

function streamOutput(stream: WriteStream): Output {
  return {
    get waiting() {
      return stream.writableLength;
    },
    write: (line) => void stream.write(line),
    end: () => new Promise((done) => stream.end(() => done())),
  };
}

function legacyLine(event: Record<string, unknown>): string {
  const part = (name: string): Record<string, unknown> =>
    (event[name] ?? {}) as Record<string, unknown>;
  const { username = '<none>', groups } = part('user');
  const { namespace = '<none>' } = part('objectRef');
  const { username: as = '<self>' } = part('impersonatedUser');
  const { code = '<deferred>' } = part('responseStatus');
  const list = (groups as string[] | undefined)?.map((one) => JSON.stringify(one)).join(',');
  const q = (value: unknown): string => JSON.stringify(String(value ?? ''));
  const [ip = '<unknown>'] = (event['sourceIPs'] ?? []) as string[];
  return `${String(event['requestReceivedTimestamp'])} AUDIT: id=${q(event['auditID'])} stage=${q(event['stage'])} ip=${q(ip)} method=${q(event['verb'])} user=${q(username)} groups=${list === undefined ? '"<none>"' : list} as=${q(as)} asgroups="<lookup>" user-agent=${q(event['userAgent'])} namespace=${q(namespace)} uri=${q(event['requestURI'])} response=${q(code)}\n`;
}

export class LogFile implements AuditSink {
  readonly #options: LogFileOptions;
  readonly #env: Pick<Env, 'clock' | 'log'>;
  #output: Output;
  #size = 0;
  #lost = 0;

  constructor(options: LogFileOptions, env: Pick<Env, 'clock' | 'log'>) {
    this.#options = options;
    this.#env = env;
    this.#output = this.#open();
  }

  #open(): Output {
    const { path, mode } = this.#options;
    // What the process says for itself may be a pipe that nobody empties: nothing waits for it.
    if (path === '-') return streamOutput(process.stdout as unknown as WriteStream);
    this.#size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    const fd = openSync(path, 'a', 0o600);
    const fail = (error: unknown): void => {
      this.#env.log.error('The audit log cannot be written', { path, error });
    };
    if (mode === 'batch') {
      const stream = createWriteStream(path, { fd });
      stream.on('error', fail);
      return streamOutput(stream);
    }
    return {
      waiting: 0,
      write: (line) => {
        try {
          const bytes = Buffer.from(line);
          for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
        } catch (error) {
          fail(error);
        }
      },
      end: () => {
        closeSync(fd);
        return Promise.resolve();
      },
    };
  }

  write(event: Record<string, unknown>): void {
    const { format, maxSizeMib, path } = this.#options;
    const line = format === 'legacy' ? legacyLine(event) : `${JSON.stringify(event)}\n`;
    if (this.#output.waiting > WAITING_BYTES_MAX) {
      this.#lost += 1;
      if (this.#lost === 1)
        this.#env.log.error('The audit log is too slow: events are lost', { path });
      return;
    }
    if (this.#lost > 0) {
      this.#env.log.warn('The audit log is written again', { path, lost: this.#lost });
      this.#lost = 0;
    }
    const bytes = Buffer.byteLength(line);
    const isFull = maxSizeMib > 0 && this.#size > 0 && this.#size + bytes > maxSizeMib * MIB;
    if (path !== '-' && isFull) this.#rotate();
    this.#size += bytes;
    this.#output.write(line);
  }

  #rotate(): void {
    const { path, maxBackups, maxAgeDays } = this.#options;
    void this.#output.end();
    const ending = extname(path);
    const stem = basename(path, ending);
    const now = this.#env.clock.now();
    const time = new Date(now).toISOString().replaceAll(':', '-').slice(0, 23);
    renameSync(path, join(dirname(path), `${stem}-${time}${ending}`));
    this.#output = this.#open();
    const pattern = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}$/;
    const old = readdirSync(dirname(path))
      .filter((name) => name.startsWith(`${stem}-`) && name.endsWith(ending))
      .filter((name) => pattern.test(name.slice(stem.length + 1, name.length - ending.length)))
      .sort()
      .toReversed()
      .map((name) => join(dirname(path), name));
    old.forEach((file, i) => {
      const isTooMany = maxBackups > 0 && i >= maxBackups;
      const isTooOld = maxAgeDays > 0 && now - statSync(file).mtimeMs > maxAgeDays * DAY_MS;
      if (isTooMany || isTooOld) unlinkSync(file);
    });
  }

  /** Resolves when what was written is with the operating system. */
  async close(): Promise<void> {
    if (this.#options.path === '-') return;
    await this.#output.end();
  }
}
