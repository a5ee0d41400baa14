// Feeds a living master with changed calls and keeps what must not be: answers of 500, silence, changes
// by what was refused, a dead or slow process, connections and memory that do not come back.
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { FakeAgent, Scheduler, World } from '#test/support/mesos-differential/player.ts';
import { aFramework, type Json } from '#test/support/mesos-differential/scenes/things.ts';
import { decode } from '#wire/mesos/codec.ts';
import { asProtobuf, corpus, type Valid } from './corpus.ts';
import { Dice, mutateBytes, mutateHead, mutateJson } from './mutate.ts';
import { exchange, type RawAnswer } from './raw-exchange.ts';

export interface Finding {
  readonly what: string;
  readonly request: string;
  readonly detail: string;
}

export interface FuzzResult {
  readonly requests: number;
  /** How many answers of each status; `stream`, `closed` and `silent` for others. */
  readonly answers: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
  readonly rssMb: readonly number[];
  readonly filesBefore: number;
  readonly filesAfter: number;
}

/** A master as a process: where it is, who it is, and what it has written. */
export interface Target {
  readonly port: number;
  readonly pid: number;
  isRunning(): boolean;
  log(): string;
}

interface Sent {
  readonly parts: readonly Buffer[];
  readonly text: string;
  readonly cutsOff: boolean;
  /** It must be answered. */
  readonly isWhole: boolean;
  /** It is a libprocess message, which nobody answers for. */
  readonly isMessage: boolean;
  /** Nobody can read it, so it must change nothing. */
  readonly isUnreadable: boolean;
}

const CONCURRENCY = 6;
const BATCH = 8;
const FINDINGS_MAX = 20;
const WAIT_MS = 20_000;
const BROKEN_WAIT_MS = 60;
/** On a machine that is busy with other things, too. */
const HEALTH_MS_MAX = 10_000;
const SETTLED_MS_MAX = 20_000;
const SHOWN = 600;
const QUIET_MS = 30;

export function rssMb(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0) / 1_024;
}

export function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** It says that it is packed and is not: Mesos' own answer. */
function isMispacked(sent: Sent, answer: RawAnswer): boolean {
  return (
    /^content-encoding: gzip/im.test(sent.text) && answer.text.endsWith('failed to decode body')
  );
}

export class MasterFuzzer {
  readonly #target: Target;
  readonly #dice: Dice;
  readonly #world: World;
  readonly #sink: Server;
  readonly #findings: Finding[] = [];
  readonly #answers: Record<string, number> = {};
  #requests = 0;
  /** How much of the log has been looked at. */
  #read = 0;
  #valid: readonly Valid[] = [];
  #scheduler: Scheduler | undefined;

  constructor(target: Target, seed: number) {
    this.#target = target;
    this.#dice = new Dice(seed);
    this.#world = new World(`http://127.0.0.1:${target.port}`);
    this.#sink = createServer((socket) => {
      socket.on('error', () => {});
      socket.resume();
    });
  }

  /** For so long, and until so many requests are made: a busy machine makes few. */
  async run(durationMs: number, requestsMin = 0): Promise<FuzzResult> {
    await new Promise<void>((done) => this.#sink.listen(0, '127.0.0.1', done));
    const filesBefore = openFiles(this.#target.pid);
    const rss: number[] = [];
    const until = performance.now() + durationMs;
    try {
      await this.#prepare();
      const isOver = (): boolean => performance.now() >= until && this.#requests >= requestsMin;
      for (let round = 0; !isOver() && this.#goesOn(); round++) {
        // Half of the time one after the other, with a look at what has changed.
        if (round % 2 === 0) await this.#serial();
        else await this.#crowd();
        await this.#health();
        if (this.#target.isRunning()) rss.push(rssMb(this.#target.pid));
      }
    } finally {
      this.#world.close();
      this.#sink.close();
    }
    const filesAfter = await this.#settled(filesBefore);
    return {
      requests: this.#requests,
      answers: this.#answers,
      findings: this.#findings,
      rssMb: rss,
      filesBefore,
      filesAfter,
    };
  }

  #goesOn(): boolean {
    return this.#findings.length < FINDINGS_MAX && this.#target.isRunning();
  }

  /** An agent and a framework with an offer: ids that mean something. */
  async #prepare(): Promise<void> {
    const agent = await (await new FakeAgent(this.#world, 'fuzzed').start()).register();
    this.#scheduler = await new Scheduler(this.#world, 'fuzzed').subscribe(
      aFramework('fuzzed', { failover_timeout: 3_600 }),
    );
    const offer = await this.#scheduler.offer();
    this.#valid = corpus({
      agent: agent.id,
      framework: this.#scheduler.frameworkId,
      stream: this.#scheduler.stream.streamId,
      offer,
      agentUpid: agent.upid,
      sinkPort: (this.#sink.address() as AddressInfo).port,
    });
  }

  async #serial(): Promise<void> {
    for (let batch = 0; batch < 4 && this.#goesOn(); batch++) {
      const before = await this.#quiet();
      const refused: string[] = [];
      let isClean = true;
      for (let i = 0; i < BATCH && isClean; i++) {
        const sent = this.#make();
        const { status, how } = await this.#send(sent);
        const isRefused = status !== undefined && status >= 400 && how !== 'stream';
        if (isRefused || sent.isUnreadable) refused.push(sent.text);
        else isClean = status !== undefined && status < 300 && sent.text.startsWith('GET');
      }
      if (!isClean) continue;
      const after = await this.#projection();
      if (after === before) continue;
      this.#find(
        'A refused request has changed something',
        refused.join('\n---\n'),
        diff(before, after),
      );
    }
  }

  async #crowd(): Promise<void> {
    const one = async (): Promise<void> => {
      for (let i = 0; i < BATCH && this.#goesOn(); i++) await this.#send(this.#make());
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, one));
  }

  async #send(sent: Sent): Promise<RawAnswer> {
    this.#requests += 1;
    const waitMs = sent.isWhole ? WAIT_MS : BROKEN_WAIT_MS;
    const answer = await exchange(this.#target.port, sent.parts, { cutsOff: sent.cutsOff, waitMs });
    const key = answer.how === 'answered' ? String(answer.status) : answer.how;
    this.#answers[key] = (this.#answers[key] ?? 0) + 1;
    if (!this.#target.isRunning()) {
      this.#find('The master has ended', sent.text, this.#target.log().slice(-3_000));
    } else if (answer.status === 500 && !isMispacked(sent, answer)) {
      this.#find('500', sent.text, answer.text);
    } else if (sent.isWhole && answer.how === 'silent') this.#find('No answer', sent.text, '');
    return answer;
  }

  #find(what: string, request: string, detail: string): void {
    if (this.#findings.length >= FINDINGS_MAX) return;
    this.#findings.push({ what, request, detail: detail.slice(0, 3_000) });
  }

  async #health(): Promise<void> {
    if (!this.#target.isRunning()) return;
    const from = performance.now();
    const head = Buffer.from('GET /health HTTP/1.1\r\nHost: master\r\n\r\n');
    const answer = await exchange(this.#target.port, [head], { cutsOff: false, waitMs: WAIT_MS });
    const took = performance.now() - from;
    if (answer.status !== 200 && this.#target.isRunning()) this.#find('Not healthy', '/health', '');
    if (took > HEALTH_MS_MAX) this.#find('Slow', '/health', `${Math.round(took)} ms`);
    const log = this.#target.log();
    const news = log.slice(this.#read);
    this.#read = log.length;
    const bad = news.split('\n').find(isFailure);
    if (bad !== undefined) this.#find('The log tells of a failure', '', bad);
  }

  /** Every connection has ended: files are as many as before. */
  async #settled(before: number): Promise<number> {
    const end = performance.now() + SETTLED_MS_MAX;
    for (;;) {
      if (!this.#target.isRunning()) return before;
      const now = openFiles(this.#target.pid);
      if (now <= before || performance.now() > end) return now;
      await new Promise((done) => setTimeout(done, 200));
    }
  }

  // ---- what is sent

  #make(): Sent {
    const dice = this.#dice;
    const valid = dice.pick(this.#valid);
    const body = this.#body(valid);
    const head = [`${valid.method} ${valid.path} HTTP/1.1`, 'Host: master', ...valid.headers];
    if (body.type !== '') head.push(`Content-Type: ${body.type}`);
    if (body.type.endsWith('protobuf') && dice.chance(0.5)) {
      head.push('Accept: application/x-protobuf');
    }
    head.push(`Content-Length: ${body.bytes.length}`);
    const isBroken = dice.chance(0.15);
    const lines = isBroken ? mutateHead(head, dice) : head;
    const whole = Buffer.concat([
      Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'),
      body.bytes,
    ]);
    const isCut = dice.chance(0.05);
    const bytes = isCut ? whole.subarray(0, dice.below(whole.length)) : whole;
    const at = dice.chance(0.2) ? dice.below(bytes.length) : 0;
    const isMessage = valid.path.startsWith('/master/mesos.internal');
    return {
      parts: at === 0 ? [bytes] : [bytes.subarray(0, at), bytes.subarray(at)],
      text: bytes.toString('latin1').slice(0, SHOWN),
      cutsOff: isCut,
      isWhole: !isBroken && !isCut,
      isMessage,
      isUnreadable: isMessage && !isBroken && !isCut && isUnreadable(valid, body.bytes),
    };
  }

  #body(valid: Valid): { readonly bytes: Buffer; readonly type: string } {
    const dice = this.#dice;
    const { json, message, text } = valid;
    if (json === undefined) {
      if (text === undefined) return { bytes: Buffer.alloc(0), type: '' };
      const bytes = Buffer.from(text);
      return { bytes: dice.chance(0.8) ? mutateBytes(bytes, dice) : bytes, type: '' };
    }
    let changed: unknown = json;
    const foreign = (dice.pick(this.#valid).json ?? {}) as Json;
    for (let i = dice.below(4); i > 0; i--) changed = mutateJson(changed, dice, foreign);
    const isMessage = valid.path.startsWith('/master/mesos.internal');
    if (message !== undefined && (isMessage || dice.chance(0.5))) {
      const bytes = asProtobuf(message, changed) ?? asProtobuf(message, json) ?? new Uint8Array();
      const hurt = dice.chance(0.4) ? mutateBytes(bytes, dice) : Buffer.from(bytes);
      return { bytes: hurt, type: isMessage ? '' : 'application/x-protobuf' };
    }
    const bytes = Buffer.from(JSON.stringify(changed) ?? 'null');
    return { bytes: dice.chance(0.2) ? mutateBytes(bytes, dice) : bytes, type: 'application/json' };
  }

  // ---- what must stay

  /** What was allowed before may take effect only now. */
  async #quiet(): Promise<string> {
    for (let last = ''; ;) {
      const now = await this.#projection();
      if (now === last || !this.#target.isRunning()) return now;
      last = now;
      await new Promise((done) => setTimeout(done, QUIET_MS));
    }
  }

  /** What only allowed requests change. */
  async #projection(): Promise<string> {
    const get = async (path: string): Promise<unknown> => {
      const { bytes } = await this.#world.ask({ path });
      return JSON.parse(bytes.toString()) as unknown;
    };
    const state = await get('/state');
    const registry = await get('/registrar(1)/registry');
    const others = await Promise.all(['/weights', '/quota', '/maintenance/schedule'].map(get));
    const { slaves, frameworks } = state as { slaves: Json[]; frameworks: Json[] };
    const agents = slaves.map((one) =>
      only(one, ['id', 'hostname', 'deactivated', 'resources', 'reserved_resources', 'drain_info']),
    );
    const own = frameworks
      .filter((one) => one['id'] === this.#scheduler?.frameworkId)
      .map((one) => ({
        ...only(one, ['id', 'roles', 'user', 'labels', 'offer_constraints']),
        tasks: (one['tasks'] as Json[]).map((task) => only(task, ['id', 'state'])),
      }));
    const kept = only(registry as Json, [
      'slaves',
      'unreachable',
      'gone',
      'machines',
      'quota_configs',
    ]);
    return JSON.stringify({ agents, own, others, kept });
  }
}

function only(value: Json, names: readonly string[]): Json {
  return Object.fromEntries(names.map((name) => [name, value[name]]));
}

function isUnreadable({ message }: Valid, bytes: Uint8Array): boolean {
  if (message === undefined) return true;
  try {
    decode(message, bytes);
    return false;
  } catch {
    return true;
  }
}

/** What cannot be read is refused by the codec, with a reason of its own, not by chance. */
function isFailure(line: string): boolean {
  if (/ ERROR |uncaught/i.test(line)) return true;
  return line.includes('cannot be parsed') && !line.includes('error="Cannot parse');
}

function diff(before: string, after: string): string {
  let at = 0;
  while (at < before.length && before[at] === after[at]) at += 1;
  const from = Math.max(0, at - 200);
  return `before: ${before.slice(from, at + 400)}\nafter: ${after.slice(from, at + 400)}`;
}
