// Wires a master: registry store, core and shell, HTTP server.
import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { Fault } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import { MasterHttp } from '#mesos/master/http.ts';
import { MasterShell } from '#mesos/master/shell.ts';
import { Registry } from '#mesos/registry/registry.ts';
import { openSqliteStore } from '#store/sqlite-store.ts';
import type { RunningPart } from './part.ts';

export interface MasterRunOptions {
  readonly home: string;
  readonly host: string;
  readonly port: number;
}

const SECOND_MS = 1_000;

/** What /flags tells, under the names that Mesos has for the same things. */
function flagsOf({ home, host, port }: MasterRunOptions): Record<string, string> {
  return {
    work_dir: home,
    ip: host,
    port: String(port),
    registry: 'strata',
    allocator: 'hierarchical',
    role_sorter: 'drf',
    framework_sorter: 'drf',
    agent_ping_timeout: '15secs',
    max_agent_ping_timeouts: '5',
    agent_reregister_timeout: '10mins',
    max_completed_frameworks: '50',
    max_completed_tasks_per_framework: '1000',
    min_allocatable_resources: 'cpus:0.01|mem:32',
    authenticate_frameworks: 'false',
    authenticate_agents: 'false',
  };
}

/** Folder by folder: mkdir's own recursion never ends where the kernel forbids folders (/proc). */
function makeFolders(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  if (dirname(path) !== path) makeFolders(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

export async function runMaster(options: MasterRunOptions, env: Env): Promise<RunningPart> {
  const { home, host } = options;
  const cannotWrite = (cause: unknown): Fault => {
    const message = `Cannot write to home folder "${home}"`;
    return new Fault({ code: 'home-unwritable', path: home }, message, { cause });
  };
  try {
    makeFolders(home);
    accessSync(home, constants.W_OK);
  } catch (error) {
    throw cannotWrite(error);
  }
  const store = await openSqliteStore(join(home, 'registry.db'));
  const server = createServer({ requireHostHeader: false, keepAliveTimeout: 0 });
  const port = await new Promise<number>((done, fail) => {
    server.once('error', (error) =>
      fail(
        new Fault(
          { code: 'listen', host, port: options.port },
          `Cannot listen on ${host}:${options.port}`,
          { cause: error },
        ),
      ),
    );
    server.listen(options.port, host, () => {
      const address = server.address();
      done(typeof address === 'object' && address !== null ? address.port : options.port);
    });
  });
  const shell = await MasterShell.start(
    {
      masterId: env.random.uuid(),
      pid: `master@${host}:${port}`,
      hostname: host === '127.0.0.1' ? 'localhost' : hostname(),
      ip: host,
      port,
      version: '1.11.0',
      agentPingTimeoutMs: 15 * SECOND_MS,
      agentPingTimeoutsMax: 5,
      agentReregisterTimeoutMs: 600 * SECOND_MS,
      heartbeatMs: 15 * SECOND_MS,
      completedFrameworksMax: 50,
      completedTasksMax: 1_000,
    },
    new Registry(store),
    env,
  );
  const http = new MasterHttp(shell, flagsOf(options));
  server.on('request', (request, response) => http.handle(request, response));
  env.log.info('Master is ready', { host, port });
  return {
    url: `http://${host}:${port}`,
    ended: shell.ended,
    async close() {
      await shell.close();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      await store[Symbol.asyncDispose]();
    },
  };
}
