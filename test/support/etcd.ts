// etcd for tests: the one on this machine, or Debian's package unpacked under build/ (nothing is installed
// and no service started); undefined with a reason when there is neither.
import { freePort } from './free-port.ts';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './cluster.ts';
import { unpackPackages } from './debian-packages.ts';

export type EtcdBinary =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly reason: string };

export function findEtcd(): EtcdBinary {
  const folder = join(root, 'build/etcd');
  const unpacked = join(folder, 'usr/bin/etcd');
  const found = [process.env['STRATA_ETCD'] ?? '', '/usr/bin/etcd', unpacked].find(
    (path) => path !== '' && existsSync(path),
  );
  if (found !== undefined) return { ok: true, path: found };
  const hindrance = unpackPackages(folder, ['etcd-server']);
  if (existsSync(unpacked)) return { ok: true, path: unpacked };
  return { ok: false, reason: `no etcd, and none to unpack: ${hindrance}` };
}

interface Member {
  readonly name: string;
  readonly client: string;
  readonly peer: string;
}

export class EtcdCluster {
  readonly #binary: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'strata-etcd-'));
  readonly #members: Member[] = [];
  readonly #running = new Map<string, ChildProcess>();
  readonly #flags: readonly string[];

  private constructor(binary: string, flags: readonly string[]) {
    this.#binary = binary;
    this.#flags = flags;
  }

  static async start(
    binary: string,
    options: { readonly size: number; readonly flags?: readonly string[] },
  ): Promise<EtcdCluster> {
    const cluster = new EtcdCluster(binary, options.flags ?? []);
    for (let i = 0; i < options.size; i++) {
      const url = async (): Promise<string> => `http://127.0.0.1:${await freePort()}`;
      cluster.#members.push({ name: `m${i}`, client: await url(), peer: await url() });
    }
    for (const { name } of cluster.#members) cluster.launch(name);
    await cluster.ready();
    return cluster;
  }

  get endpoints(): readonly string[] {
    return this.#members.map(({ client }) => client);
  }

  get names(): readonly string[] {
    return this.#members.map(({ name }) => name);
  }

  launch(name: string): void {
    const member = this.#members.find((one) => one.name === name);
    if (member === undefined) throw new Error(`No member ${name}`);
    const initial = this.#members.map((one) => `${one.name}=${one.peer}`).join(',');
    const args = [
      `--name=${name}`,
      `--data-dir=${join(this.#folder, name)}`,
      `--listen-client-urls=${member.client}`,
      `--advertise-client-urls=${member.client}`,
      `--listen-peer-urls=${member.peer}`,
      `--initial-advertise-peer-urls=${member.peer}`,
      `--initial-cluster=${initial}`,
      '--heartbeat-interval=50',
      '--election-timeout=500',
      ...this.#flags,
    ];
    const env = { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch };
    const child = spawn(this.#binary, args, { stdio: 'ignore', env });
    this.#running.set(name, child);
  }

  /** SIGKILL, SIGSTOP or SIGCONT to one member; a killed one may be launched again. */
  async signal(name: string, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    const child = this.#running.get(name);
    if (child === undefined) return;
    const closed = new Promise((done) => child.on('close', done));
    child.kill(signal);
    if (signal !== 'SIGKILL') return;
    await closed;
    this.#running.delete(name);
  }

  /** Every running member answers for a cluster with a leader. */
  async ready(): Promise<void> {
    for (const { name, client } of this.#members) {
      for (let tries = 0; this.#running.has(name); tries++) {
        const answer = await fetch(`${client}/health`).catch(() => undefined);
        if (answer?.ok === true) break;
        if (tries > 600) throw new Error(`etcd member ${name} does not become healthy`);
        await new Promise((done) => setTimeout(done, 50));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.#running.keys()) await this.signal(name, 'SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
