// The two masters that scripts are played against: a real Mesos 1.11 master as a process, and
// Strata's in this process; configured alike.
import { freePort } from '#test/support/free-port.ts';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createEnv } from '#env/node/env.ts';
import { parseAcls } from '#mesos/security/acls.ts';
import { basicHeader } from '#mesos/security/basic.ts';
import { Authorizer } from '#mesos/security/authorizer.ts';
import { PortServer } from '#mesos/security/port-server.ts';
import { readMasterFlags } from '#mesos/master/given-flags.ts';
import { MasterHttp } from '#mesos/master/http.ts';
import { MasterShell } from '#mesos/master/shell.ts';
import { Registry } from '#mesos/registry/registry.ts';
import { MemoryStore } from '#store/memory-store.ts';

export interface RunningMaster {
  readonly url: string;
  /** Of an agent: where its master is. */
  readonly masterUrl?: string;
  /** What only this one has in its answers (folders) -> what stands for it. */
  readonly texts?: ReadonlyMap<string, string>;
  close(): Promise<void>;
}

/** What a scene may set otherwise than it is by default. */
export interface Settings {
  readonly pingTimeoutMs?: number;
  readonly pingTimeoutsMax?: number;
  /** Further flags under Mesos' names. */
  readonly flags?: Readonly<Record<string, string>>;
  /** --credentials (of an agent: --http_credentials): secrets by principal. */
  readonly credentials?: Readonly<Record<string, string>>;
  /** --webui_dir: a folder with the files of `webUiFiles`. */
  readonly hasWebUi?: boolean;
  /** --acls */
  readonly acls?: object;
}

/** Not Mesos' own: only where they lie is as there. */
const webUiFiles: Readonly<Record<string, string>> = {
  'index.html': '<!doctype html><title>UI</title>',
  'app/app.js': 'start();',
  'app/home.html': '<p>home</p>',
  'assets/css/mesos.css': 'p { color: red }',
  'assets/ico/favicon.ico': 'icon',
  'assets/img/logo.png': 'picture',
};

function writeWebUi(folder: string): string {
  for (const [name, text] of Object.entries(webUiFiles)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** The flags of a scene; its files lie in `work`. */
function flagsOf(settings: Settings, work: string): Record<string, string> {
  const { credentials, hasWebUi = false } = settings;
  const webUi: Record<string, string> = hasWebUi
    ? { webui_dir: writeWebUi(join(work, 'webui')) }
    : {};
  const flags = { ...settings.flags, ...webUi };
  if (credentials === undefined) return flags;
  const path = join(work, 'credentials.json');
  const list = Object.entries(credentials).map(([principal, secret]) => ({ principal, secret }));
  writeFileSync(path, JSON.stringify({ credentials: list }), { mode: 0o600 });
  return { ...flags, credentials: path };
}

function environmentOf(flags: Readonly<Record<string, string>>): Record<string, string> {
  const all = Object.entries(flags);
  return Object.fromEntries(all.map(([name, value]) => [`MESOS_${name.toUpperCase()}`, value]));
}

/** For those who only want to know whether it is up. */
function anybody({ credentials = {} }: Settings): Record<string, string> {
  const [first] = Object.entries(credentials);
  if (first === undefined) return {};
  const [principal, secret] = first;
  return { Authorization: basicHeader({ principal, secret }) };
}

/** `folder` holds `real-mesos-master`. */
export async function startRealMaster(folder: string, settings: Settings): Promise<RunningMaster> {
  const port = await freePort();
  const work = mkdtempSync(join(tmpdir(), 'strata-differential-'));
  const { pingTimeoutMs = 15_000, pingTimeoutsMax = 5 } = settings;
  const child = spawn(join(folder, 'real-mesos-master'), [], {
    stdio: 'ignore',
    env: {
      ...process.env,
      LIBPROCESS_IP: '127.0.0.1',
      LIBPROCESS_PORT: String(port),
      LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT: '1000/1secs',
      MESOS_HOSTNAME: 'localhost',
      MESOS_REGISTRY: 'in_memory',
      MESOS_ALLOCATION_INTERVAL: '50ms',
      MESOS_AGENT_PING_TIMEOUT: `${pingTimeoutMs}ms`,
      MESOS_MAX_AGENT_PING_TIMEOUTS: String(pingTimeoutsMax),
      ...environmentOf(flagsOf(settings, work)),
      ...(settings.acls === undefined ? {} : { MESOS_ACLS: JSON.stringify(settings.acls) }),
      WORK_DIR: join(work, 'master'),
    },
  });
  const url = `http://127.0.0.1:${port}`;
  const body = '{"type":"GET_HEALTH"}';
  const headers = { 'Content-Type': 'application/json', ...anybody(settings) };
  for (let turn = 0; turn < 200; turn++) {
    const answer = await fetch(`${url}/api/v1`, { method: 'POST', headers, body }).catch(() => {});
    if (answer?.status === 200) break;
    await new Promise((done) => setTimeout(done, 50));
  }
  return {
    url,
    async close() {
      const gone = new Promise((done) => child.once('exit', done));
      child.kill('SIGKILL');
      await gone;
      rmSync(work, { recursive: true, force: true });
    },
  };
}

export async function startOwnMaster(settings: Settings): Promise<RunningMaster> {
  const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
  const work = mkdtempSync(join(tmpdir(), 'strata-differential-'));
  const flags = readMasterFlags(flagsOf(settings, work), env);
  const serving = { requireHostHeader: false, keepAliveTimeout: 0 };
  const server = new PortServer(serving, undefined, env.log);
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  const shell = await MasterShell.start(
    {
      masterId: env.random.uuid(),
      pid: `master@127.0.0.1:${port}`,
      hostname: 'localhost',
      ip: '127.0.0.1',
      port,
      version: '1.11.0',
      ...flags.settings,
      agentPingTimeoutMs: settings.pingTimeoutMs ?? 15_000,
      agentPingTimeoutsMax: settings.pingTimeoutsMax ?? 5,
      agentReregisterTimeoutMs: 600_000,
      heartbeatMs: 15_000,
      completedFrameworksMax: 50,
      completedTasksMax: 1_000,
      authenticatesFrameworks: flags.gate.peers.wantsFrameworks,
      authorizer: new Authorizer(settings.acls && parseAcls(JSON.stringify(settings.acls))),
    },
    new Registry(new MemoryStore()),
    env,
    flags.gate,
  );
  const shown = { port: String(port), hostname: 'localhost', work_dir: '/nowhere' };
  const http = new MasterHttp(
    shell,
    { ...shown, ...flagsOf(settings, work) },
    {
      authentication: flags.authentication,
      webUiFolder: settings.hasWebUi === true ? flags.webUiFolder : undefined,
    },
  );
  server.onRequest((request, response) => http.handle(request, response));
  server.onConnection((socket, first, giveBack) => http.accept(socket, first, giveBack));
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      await shell.close();
      await server.close();
      rmSync(work, { recursive: true, force: true });
    },
  };
}
