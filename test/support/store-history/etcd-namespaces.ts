// Three members of etcd, each in a network namespace of its own on one bridge, so that they can be cut off:
// from everybody, or from each other only. Needs root, ip and iptables; all of it goes at the end.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from '#test/support/cluster.ts';

const MEMBERS = 3;

async function sh(...words: readonly string[]): Promise<void> {
  const { status, stderr } = await run(words, { timeoutMs: 20_000 });
  if (status !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
}

interface Member {
  readonly name: string;
  readonly namespace: string;
  /** Of the bridge's side. */
  readonly link: string;
  readonly ip: string;
  child: ChildProcess | undefined;
}

/** Why there can be none; undefined when there can. */
export async function namespacesMissing(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  for (const one of ['ip', 'iptables']) {
    if ((await run(['sh', '-c', `command -v ${one}`])).status !== 0) return `no ${one}`;
  }
  const name = `strata-probe-${process.pid}`;
  const made = await run(['ip', 'netns', 'add', name]);
  if (made.status !== 0) return `no network namespace can be made: ${made.stderr.trim()}`;
  await run(['ip', 'netns', 'delete', name]);
  return undefined;
}

export class EtcdNamespaces {
  readonly #binary: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'strata-etcd-ns-'));
  readonly #bridge = `stbr${process.pid % 100_000}`;
  readonly #subnet = `10.231.${process.pid % 250}`;
  readonly members: readonly Member[];

  private constructor(binary: string) {
    this.#binary = binary;
    const id = process.pid % 100_000;
    this.members = Array.from({ length: MEMBERS }, (_, i) => ({
      name: `m${i}`,
      namespace: `strata-etcd-${id}-${i}`,
      link: `st${id}v${i}`,
      ip: `${this.#subnet}.${i + 1}`,
      child: undefined,
    }));
  }

  static async start(binary: string): Promise<EtcdNamespaces> {
    const made = new EtcdNamespaces(binary);
    try {
      await made.#wire();
      for (const member of made.members) made.launch(member);
      await made.ready();
      return made;
    } catch (error) {
      await made[Symbol.asyncDispose]();
      throw error;
    }
  }

  get endpoints(): readonly string[] {
    return this.members.map(({ ip }) => `http://${ip}:2379`);
  }

  async #wire(): Promise<void> {
    await sh('ip', 'link', 'add', this.#bridge, 'type', 'bridge');
    await sh('ip', 'addr', 'add', `${this.#subnet}.254/24`, 'dev', this.#bridge);
    await sh('ip', 'link', 'set', this.#bridge, 'up');
    for (const { namespace, link, ip } of this.members) {
      await sh('ip', 'netns', 'add', namespace);
      await sh(
        'ip',
        'link',
        'add',
        link,
        'type',
        'veth',
        'peer',
        'name',
        'eth0',
        'netns',
        namespace,
      );
      await sh('ip', 'link', 'set', link, 'master', this.#bridge, 'up');
      const inside = ['ip', '-n', namespace];
      await sh(...inside, 'addr', 'add', `${ip}/24`, 'dev', 'eth0');
      await sh(...inside, 'link', 'set', 'eth0', 'up');
      await sh(...inside, 'link', 'set', 'lo', 'up');
    }
  }

  launch(member: Member): void {
    const { name, namespace, ip } = member;
    const cluster = this.members.map((one) => `${one.name}=http://${one.ip}:2380`).join(',');
    const args = [
      `--name=${name}`,
      `--data-dir=${join(this.#folder, name)}`,
      `--listen-client-urls=http://${ip}:2379`,
      `--advertise-client-urls=http://${ip}:2379`,
      `--listen-peer-urls=http://${ip}:2380`,
      `--initial-advertise-peer-urls=http://${ip}:2380`,
      `--initial-cluster=${cluster}`,
      '--heartbeat-interval=50',
      '--election-timeout=500',
    ];
    const env = { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch };
    // `ip netns exec` becomes the program: signals reach it.
    const command = ['netns', 'exec', namespace, this.#binary, ...args];
    member.child = spawn('ip', command, { stdio: 'ignore', env });
  }

  async kill(member: Member): Promise<void> {
    const { child } = member;
    if (child === undefined) return;
    const gone = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await gone;
    member.child = undefined;
  }

  pause(member: Member, isPaused: boolean): void {
    member.child?.kill(isPaused ? 'SIGSTOP' : 'SIGCONT');
  }

  /** From everybody. */
  async isolate(member: Member, isCut: boolean): Promise<void> {
    await sh('ip', 'link', 'set', member.link, isCut ? 'down' : 'up');
  }

  /** From the other members: clients still reach it. */
  async part(member: Member, isCut: boolean): Promise<void> {
    for (const { ip } of this.members) {
      if (ip === member.ip) continue;
      const change = isCut ? '-A' : '-D';
      const inside = ['ip', 'netns', 'exec', member.namespace, 'iptables', '-w'];
      await sh(...inside, change, 'INPUT', '-s', ip, '-j', 'DROP');
      await sh(...inside, change, 'OUTPUT', '-d', ip, '-j', 'DROP');
    }
  }

  /** Every running member answers for a cluster with a leader. */
  async ready(): Promise<void> {
    for (const { ip, child, name } of this.members) {
      for (let tries = 0; child !== undefined; tries++) {
        const signal = AbortSignal.timeout(2_000);
        const answer = await fetch(`http://${ip}:2379/health`, { signal }).catch(() => undefined);
        if (answer?.ok === true) break;
        if (tries > 600) throw new Error(`etcd member ${name} does not become healthy`);
        await delay(50);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.members) {
      this.pause(member, false);
      await this.kill(member);
      await run(['ip', 'netns', 'delete', member.namespace]);
      await run(['ip', 'link', 'delete', member.link]);
    }
    await run(['ip', 'link', 'delete', this.#bridge]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
