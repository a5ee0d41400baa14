// ZooKeeper for tests: Debian's packages unpacked under build/ (nothing is installed and no service
// started), run by the machine's Java; undefined with a reason when there is none.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { eventually, root, run } from './cluster.ts';
import { unpackPackages } from './debian-packages.ts';

export type ZooKeeperJars =
  | { readonly ok: true; readonly classPath: string }
  | { readonly ok: false; readonly reason: string };

const PACKAGES = [
  'libzookeeper-java',
  'libnetty-java',
  'libsnappy-java',
  'libslf4j-java',
  'libdropwizard-metrics-java',
];
// With one of the logging libraries: all that the packages bring contradict each other.
const JARS = [
  'zookeeper',
  'zookeeper-jute',
  'netty-all',
  'snappy-java',
  'metrics-core',
  'slf4j-api',
  'slf4j-nop',
];

export async function findZooKeeper(): Promise<ZooKeeperJars> {
  const java = await run(['java', '-version']);
  if (java.status !== 0) return { ok: false, reason: 'java is not on this machine' };
  const folder = join(root, 'build/zookeeper');
  const jars = join(folder, 'usr/share/java');
  if (!existsSync(join(jars, 'zookeeper.jar'))) {
    const hindrance = unpackPackages(folder, PACKAGES);
    if (hindrance !== undefined) return { ok: false, reason: `no ZooKeeper: ${hindrance}` };
  }
  return { ok: true, classPath: JARS.map((name) => join(jars, `${name}.jar`)).join(':') };
}

export class ZooKeeper {
  readonly folder = mkdtempSync(join(tmpdir(), 'strata-zookeeper-'));
  readonly #classPath: string;
  port = 0;
  #child: ChildProcess | undefined;

  constructor(classPath: string) {
    this.#classPath = classPath;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Sessions may be as short as 400 ms. */
  async start(): Promise<void> {
    if (this.port === 0) this.port = await freePort();
    const config = join(this.folder, 'zoo.cfg');
    const lines = [
      'tickTime=200',
      `dataDir=${join(this.folder, 'data')}`,
      `clientPort=${this.port}`,
      'clientPortAddress=127.0.0.1',
      'admin.enableServer=false',
    ];
    writeFileSync(config, `${lines.join('\n')}\n`);
    const main = 'org.apache.zookeeper.server.ZooKeeperServerMain';
    const command = ['-Xmx128m', '-XX:+UseSerialGC', '-cp', this.#classPath, main, config];
    this.#child = spawn('java', command, { stdio: 'ignore' });
    await eventually('ZooKeeper answers', () => this.#isServing());
  }

  #isServing(): Promise<true | undefined> {
    return new Promise((done) => {
      const socket = connect({ host: '127.0.0.1', port: this.port });
      socket.on('connect', () => socket.write('srvr'));
      socket.on('data', (chunk: Buffer) => {
        socket.destroy();
        done(chunk.toString().includes('Mode:') ? true : undefined);
      });
      socket.on('error', () => done(undefined));
      socket.on('close', () => done(undefined));
    });
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
