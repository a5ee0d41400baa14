// A framework on the real scheduler driver of libmesos 1.11 (v0), in a process of its own: native/driver.cpp,
// compiled here against the library of a real Mesos.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { decode, encode, type MessageName } from '#wire/mesos/codec.ts';
import type {
  Credential,
  FrameworkInfo,
  Messages,
  Offer,
  TaskInfo,
  TaskStatus,
} from '#wire/mesos/v1.ts';
import { realMaster } from './agent-machine.ts';
import { eventually, root, run } from './cluster.ts';

const library = join(dirname(realMaster), 'lib');

export type NativeDriverProgram =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly reason: string };

/** Compiles it, once in a process. */
export async function buildNativeDriver(): Promise<NativeDriverProgram> {
  const search = `-Wl,--disable-new-dtags,-rpath,${library},-rpath-link,${library}`;
  const link = [`-L${library}`, '-lpy27stub', '-l:libmesos.so', search, '-ldl'];
  const flags = ['-O1', '-w', '-Wl,--no-as-needed', '-Wl,--allow-shlib-undefined'];
  return await build('driver', flags, link);
}

/** What is loaded before a real agent so that it looks for its master in ZooKeeper: native/zookeeper-agent.cpp. */
export async function buildZooKeeperAgent(): Promise<NativeDriverProgram> {
  return await build('zookeeper-agent', ['-O1', '-w', '-shared', '-fPIC'], []);
}

async function build(
  name: string,
  flags: readonly string[],
  link: readonly string[],
): Promise<NativeDriverProgram> {
  if (!existsSync(join(library, 'libmesos.so'))) {
    return { ok: false, reason: 'no real libmesos (set STRATA_REAL_MESOS to where it is)' };
  }
  const folder = join(root, 'build/native');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}-${process.pid}`);
  const source = join(root, `test/support/native/${name}.cpp`);
  const made = await run(['g++', ...flags, '-o', path, source, ...link]);
  if (made.status === 0) return { ok: true, path };
  return { ok: false, reason: `cannot compile ${name}.cpp: ${made.stderr.slice(-200)}` };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const unhex = <N extends MessageName>(name: N, text: string): Messages[N] =>
  decode(name, Buffer.from(text, 'hex'));

export class NativeDriver {
  readonly child: ChildProcess;
  /** Callbacks in their order, e.g. `registered`, `error Framework failed over`. */
  readonly lines: string[] = [];
  readonly offers: Offer[] = [];
  readonly statuses: TaskStatus[] = [];
  readonly messages: string[] = [];
  frameworkId = '';

  /** `master`: `ip:port` or `zk://…`. */
  constructor(program: string, master: string, info: FrameworkInfo, credential?: Credential) {
    const known = credential === undefined ? [] : [hex(encode('Credential', credential))];
    this.child = spawn(program, [master, ...known], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    createInterface({ input: this.child.stdout! }).on('line', (line) => this.#onLine(line));
    this.#write(hex(encode('FrameworkInfo', info)));
  }

  launch(offer: Offer, task: TaskInfo): void {
    this.#write('launch', hex(encode('OfferID', offer.id)), hex(encode('TaskInfo', task)));
  }

  decline(offer: Offer, refuse_seconds: number): void {
    this.#write(
      'decline',
      hex(encode('OfferID', offer.id)),
      hex(encode('Filters', { refuse_seconds })),
    );
  }

  revive(): void {
    this.#write('revive');
  }

  suppress(): void {
    this.#write('suppress');
  }

  kill(taskId: string): void {
    this.#write('kill', hex(encode('TaskID', { value: taskId })));
  }

  /** Undefined: implicitly, all tasks. */
  reconcile(status?: TaskStatus): void {
    this.#write('reconcile', ...(status === undefined ? [] : [hex(encode('TaskStatus', status))]));
  }

  message(executorId: string, agentId: string, data: string): void {
    const [executor, agent] = [{ value: executorId }, { value: agentId }];
    const ids = [hex(encode('ExecutorID', executor)), hex(encode('AgentID', agent))];
    this.#write('message', ...ids, hex(Buffer.from(data)));
  }

  /** `failover`: the framework stays, for another process to take over. */
  async stop(how: 'failover' | 'teardown'): Promise<void> {
    this.#write('stop', how);
    await this.said('stopped');
    // What it said to the master is on its way in another thread.
    this.child.stdin?.end();
  }

  async abort(): Promise<void> {
    this.#write('abort');
    await this.said('aborted');
  }

  async said(start: string): Promise<string> {
    return await eventually(`the driver says ${start}`, async () =>
      this.lines.find((line) => line.startsWith(start)),
    );
  }

  async offer(): Promise<Offer> {
    return await eventually('an offer', async () => this.offers.shift());
  }

  async reached(taskId: string, state: TaskStatus['state']): Promise<TaskStatus> {
    return await eventually(`${taskId} is ${state}`, async () =>
      this.statuses.find((one) => one.task_id.value === taskId && one.state === state),
    );
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((done) => this.child.once('exit', done));
    this.child.kill('SIGKILL');
    await gone;
  }

  #write(...words: readonly string[]): void {
    this.child.stdin?.write(`${words.join(' ')}\n`);
  }

  #onLine(line: string): void {
    const [verb = '', first = '', , third = ''] = line.split(' ');
    this.lines.push(line);
    if (verb === 'registered') this.frameworkId = unhex('FrameworkID', first).value;
    else if (verb === 'offer') this.offers.push(unhex('Offer', first));
    else if (verb === 'status') this.statuses.push(unhex('TaskStatus', first));
    else if (verb === 'message') this.messages.push(Buffer.from(third, 'hex').toString());
    else if (verb === 'rescinded') {
      const { value } = unhex('OfferID', first);
      const at = this.offers.findIndex((offer) => offer.id.value === value);
      if (at >= 0) this.offers.splice(at, 1);
    }
  }
}
