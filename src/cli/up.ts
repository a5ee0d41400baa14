// `strata up`: everything on this machine, as child processes under one supervisor.
import { spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import { readAccess, urlOf } from '#mesos/client/access.ts';
import type { PartSpec } from '#supervisor/core.ts';
import { Home, type InstanceConfig, type SupervisorState } from '#supervisor/home.ts';
import { agentPorts, claimPorts, type PortRange } from '#supervisor/port-range.ts';
import { Supervisor } from '#supervisor/shell.ts';
import { createProgress, lineOf } from './progress.ts';
import { waitForState } from './state-watch.ts';

export interface UpOptions {
  readonly home: string;
  readonly agents: number;
  readonly portOffset: number;
  readonly kube: boolean;
  readonly detach: boolean;
  readonly install: boolean;
  readonly resources?: string | undefined;
  /** Ranges of service addresses of the instance `default`. */
  readonly serviceClusterIpRange?: string | undefined;
  readonly command: readonly string[];
}

const MASTER_PORT = 5050;
const AGENT_PORT = 5051;
export const KUBE_PORT = 6443;
/** Tells the supervisor that the home has an instance more. */
export const REREAD_SIGNAL = 'SIGUSR2';
const DETACH_MS_MAX = 180_000;

function masterPart(options: UpOptions): PartSpec {
  const port = MASTER_PORT + options.portOffset;
  const log = `external_log_file=${join(options.home, 'log', 'master.log')}`;
  const args = ['master', '--home', options.home, '--port', String(port), '--flag', log];
  return { name: 'master', args, stage: 0 };
}

/**
 * Homes with a port offset offer ports of their own, so that the tasks and kubelets of several homes on
 * one machine do not meet; without one the agent's default stands.
 */
async function portsOf(options: UpOptions, home: Home): Promise<PortRange | undefined> {
  if (options.portOffset === 0 || /\bports\b/.test(options.resources ?? '')) return undefined;
  return claimPorts(home.path('run', 'ports'), options.portOffset);
}

function agentPart(options: UpOptions, number: number, ports: PortRange | undefined): PartSpec {
  const args = [
    'agent',
    '--master',
    `127.0.0.1:${MASTER_PORT + options.portOffset}`,
    '--home',
    new Home(options.home).path('agents', String(number)),
    '--port',
    String(AGENT_PORT + number - 1 + options.portOffset),
    '--attributes',
    `kube-node-name:node-${number}`,
    '--share',
    String(options.agents),
    '--share-index',
    String(number - 1),
    // Its share of the machine may be another one each time.
    '--flag',
    'reconfiguration_policy=any',
  ];
  const resources = [
    options.resources,
    ports === undefined ? undefined : agentPorts(ports, options.agents, number),
  ].filter((one) => one !== undefined);
  if (resources.length > 0) args.push('--resources', resources.join(';'));
  return { name: `agent-${number}`, args, stage: 1 };
}

function kubePart(options: UpOptions, instance: InstanceConfig): PartSpec {
  const master = `127.0.0.1:${MASTER_PORT + options.portOffset}`;
  const args = ['kube', 'serve', instance.name, '--home', options.home];
  args.push('--port', String(instance.port), '--master', master);
  args.push('--components', 'apiserver,scheduler,controllers');
  return { name: `kube-${instance.name}`, args, stage: 2 };
}

function prepareDefault(home: Home, options: UpOptions): void {
  const name = 'default';
  const { portOffset, serviceClusterIpRange: serviceCidr } = options;
  const known = home.instances().find((instance) => instance.name === name);
  if (known === undefined) home.addInstance(name, KUBE_PORT + portOffset, serviceCidr);
  else if (serviceCidr !== undefined) home.writeInstance({ ...known, serviceCidr });
}

/** Runs in the foreground until everything has stopped; resolves to the exit status. */
async function runSupervisor(options: UpOptions, env: Env): Promise<number> {
  const home = new Home(options.home);
  home.prepare();
  home.claim();
  const { portOffset, agents } = options;
  const ports = await portsOf(options, home);
  if (options.kube) prepareDefault(home, options);
  const masterPort = MASTER_PORT + portOffset;
  const access = readAccess(undefined, process.env, env.log);
  const masterUrl = urlOf(access, `127.0.0.1:${masterPort}`);
  const describe = { masterUrl, masterPort, portOffset, agents };
  const progress = createProgress(process.stdout);
  const supervisor = new Supervisor(
    {
      home,
      command: options.command,
      describe,
      onChange: (core) =>
        progress.show(
          core.states().map(({ spec, state }) => lineOf(spec, state)),
          home,
        ),
    },
    env,
  );
  const addInstances = (): void => {
    if (!options.kube) return;
    for (const instance of home.instances()) supervisor.add(kubePart(options, instance));
  };
  process.on(REREAD_SIGNAL, addInstances);
  // A terminal that goes away takes its supervisor along, not what the user has started with it.
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => supervisor.stop('keep-tasks'));
  }
  process.stdout.on('error', () => {});
  process.on('SIGINT', () => supervisor.stop('kill-tasks'));
  supervisor.add(masterPart(options));
  for (let number = 1; number <= agents; number++) {
    supervisor.add(agentPart(options, number, ports));
  }
  addInstances();
  await supervisor.finished;
  ports?.release();
  home.release();
  const { failure } = supervisor;
  if (failure === undefined) return 0;
  const { name, exit } = failure;
  const log = home.path('log', `${name}.log`);
  process.stderr.write(`strata: ${name} cannot start: ${exit}; its log is ${log}\n`);
  return 1;
}

function isReady(state: SupervisorState): boolean {
  return state.parts.length > 0 && state.parts.every((part) => part.state === 'ready');
}

/** Starts the supervisor as a process of its own and waits until every part is ready. */
async function detach(options: UpOptions, env: Env): Promise<number> {
  const home = new Home(options.home);
  home.prepare();
  const holder = home.running();
  if (holder !== undefined) {
    throw new Fault(
      { code: 'home-in-use', pid: holder.pid },
      `Cannot start in "${options.home}": the process with pid ${holder.pid} holds it`,
    );
  }
  const log = openSync(home.path('log', 'supervisor.log'), 'a');
  const [program, ...first] = options.command;
  const again = process.argv.slice(2).filter((argument) => argument !== '--detach');
  const child = spawn(program ?? '', [...first, ...again], {
    detached: true,
    stdio: ['ignore', log, log],
  });
  child.unref();
  const progress = createProgress(process.stdout);
  const failed = new Promise<'ended'>((done) => child.on('exit', () => done('ended')));
  const ready = waitForState(
    home,
    (state) => {
      if (state.pid !== child.pid) return false;
      progress.show(state.parts, home);
      return isReady(state);
    },
    DETACH_MS_MAX,
    env,
  );
  const outcome = await Promise.race([ready, failed]);
  if (outcome !== 'ended' && outcome !== undefined) return 0;
  process.stderr.write(`strata: ${whyNotReady(home, child.pid, outcome === 'ended')}\n`);
  return 1;
}

function whyNotReady(home: Home, pid: number | undefined, hasEnded: boolean): string {
  const state = home.lastState();
  if (state?.pid === pid && state?.failure !== undefined) {
    return `${state.failure}; the logs are in ${home.path('log')}`;
  }
  const log = home.path('log', 'supervisor.log');
  const lines = hasEnded ? readFileSync(log, 'utf8').split('\n') : [];
  const last = lines.findLast((line) => line.startsWith('strata: '));
  if (last !== undefined) return last.slice('strata: '.length);
  const what = hasEnded ? 'the supervisor ended' : 'not everything is ready yet';
  return `${what}; the logs are in ${home.path('log')}`;
}

export async function up(options: UpOptions, env: Env): Promise<number> {
  return options.detach ? await detach(options, env) : await runSupervisor(options, env);
}
