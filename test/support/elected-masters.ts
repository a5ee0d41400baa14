// Several masters of ours as processes, elected where they are told, and an agent beside them; for tests of what
// lives on when the leader dies.
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEnv } from '#env/node/env.ts';
import { detectMaster, type Detector } from '#mesos/election/master-address.ts';
import { REAL_AGENT, realMaster, stop } from './agent-machine.ts';
import { eventually, root } from './cluster.ts';
import { freePort } from './free-port.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const strata = [process.execPath, join(root, 'src/bin/strata.ts')];

/** --domain */
function inRegion(name: string): string {
  return `domain=${JSON.stringify({ fault_domain: { region: { name }, zone: { name: 'z' } } })}`;
}

export interface Node {
  readonly port: number;
  child: ChildProcess;
}

export class Masters {
  readonly folder = mkdtempSync(join(tmpdir(), 'strata-election-'));
  readonly nodes: Node[] = [];
  readonly options: readonly string[];
  readonly where: string;
  readonly #agents: ChildProcess[] = [];
  detector!: Detector;
  /** A master that ends by itself (a machine without a processor for it costs it its turn) is started again. */
  revives = false;

  constructor(options: readonly string[], where: string) {
    this.options = options;
    this.where = where;
  }

  async start(count: number): Promise<void> {
    this.detector = await detectMaster(this.where, () => {}, env);
    for (let i = 0; i < count; i++) await this.add();
  }

  spawn(args: readonly string[], name: string): ChildProcess {
    const [program = '', ...rest] = [...strata, ...args];
    const log = openSync(join(this.folder, `${name}.log`), 'a');
    return spawn(program, rest, { stdio: ['ignore', log, log] });
  }

  /** Arguments of a master. */
  master(home: string, port: number, region: string): string[] {
    const place = ['--home', home, '--port', String(port)];
    return ['master', ...place, ...this.options, '--flag', inRegion(region)];
  }

  async add(): Promise<Node> {
    return await this.again(await freePort());
  }

  async again(port: number): Promise<Node> {
    const home = join(this.folder, `master-${port}`);
    const args = this.master(home, port, 'one');
    const node = { port, child: this.spawn(args, `master-${port}`) };
    this.nodes.push(node);
    this.#look(node, args);
    await eventually('the master listens', async () =>
      (await fetch(`http://127.0.0.1:${port}/health`)).ok ? true : undefined,
    );
    return node;
  }

  #look(node: Node, args: readonly string[]): void {
    node.child.once('exit', () => {
      if (!this.revives || !this.nodes.includes(node)) return;
      node.child = this.spawn(args, `master-${node.port}`);
      this.#look(node, args);
    });
  }

  async addAgent(): Promise<void> {
    const port = String(await freePort());
    const home = join(this.folder, 'agent');
    const resources = 'cpus:8;mem:4096;disk:1000;ports:[31000-31100]';
    const args = ['agent', '--master', this.where, '--home', home, '--port', port];
    this.#agents.push(this.spawn([...args, '--resources', resources], 'agent'));
    await eventually('the agent is active', () => this.activeAgent());
  }

  /** A real Mesos agent that looks in ZooKeeper itself; `preload`: what makes it (`buildZooKeeperAgent`). */
  async addRealAgent(preload: string): Promise<void> {
    const log = openSync(join(this.folder, 'real-agent.log'), 'a');
    const vars = {
      ...REAL_AGENT,
      LD_PRELOAD: preload,
      DETECT_IN: this.where,
      // It only begins the search: nobody listens there.
      AGENT_MASTER: '127.0.0.1:1',
      WORK_DIR: join(this.folder, 'real-agent'),
      LIBPROCESS_PORT: String(await freePort()),
      MESOS_RESOURCES: 'cpus:4;mem:4096;disk:1000;ports:[31000-31100]',
    };
    const env = { ...process.env, ...vars };
    this.#agents.push(spawn(realMaster, [], { env, stdio: ['ignore', log, log] }));
    await eventually('the agent is active', () => this.activeAgent());
  }

  async activeAgent(): Promise<true | undefined> {
    const { port } = await this.leader();
    const answer = await fetch(`http://127.0.0.1:${port}/slaves`);
    const { slaves } = (await answer.json()) as { slaves: { active: boolean }[] };
    return slaves.some(({ active }) => active) ? true : undefined;
  }

  /** The one that leads, once it answers as a leader. */
  async leader(): Promise<Node> {
    return await eventually('somebody leads', async () => {
      for (const node of this.nodes) {
        const metrics = await fetch(`http://127.0.0.1:${node.port}/metrics/snapshot`)
          .then(async (answer) => (await answer.json()) as Record<string, number>)
          .catch(() => undefined);
        if (metrics?.['master/elected'] === 1) return node;
      }
      return undefined;
    });
  }

  async standby(): Promise<Node> {
    const leader = await this.leader();
    const other = this.nodes.find((node) => node !== leader && node.child.exitCode === null);
    assert.ok(other !== undefined);
    return other;
  }

  async kill(node: Node): Promise<void> {
    this.nodes.splice(this.nodes.indexOf(node), 1);
    await stop(node.child, 'SIGKILL');
  }

  async close(): Promise<void> {
    for (const agent of this.#agents)
      await stop(agent, agent.spawnfile === realMaster ? 'SIGKILL' : 'SIGUSR1');
    for (const { child } of this.nodes.splice(0)) await stop(child, 'SIGKILL');
    await this.detector?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
