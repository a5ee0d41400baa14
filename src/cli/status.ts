// `strata status`: asks the parts themselves, over their own protocols.
import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { parse } from 'yaml';
import type { Env } from '#env/env.ts';
import { headersOf, readAccess, urlOf, type Access } from '#mesos/client/access.ts';
import { getJson } from '#mesos/client/http.ts';
import { Home, type InstanceConfig } from '#supervisor/home.ts';

export interface ClusterStatus {
  readonly master: { readonly url: string; readonly leader: string | null };
  readonly agents: readonly { readonly id: string; readonly url: string; readonly state: string }[];
  readonly instances: readonly {
    readonly name: string;
    readonly url: string;
    readonly kubeconfig: string;
    readonly ready: boolean;
  }[];
}

interface MasterState {
  readonly leader?: string;
  readonly slaves?: readonly { id: string; pid: string; active: boolean; deactivated?: boolean }[];
  readonly recovered_slaves?: readonly { id: string }[];
}

const REQUEST_MS_MAX = 5_000;

async function masterState(url: string, access: Access): Promise<MasterState | undefined> {
  const signal = AbortSignal.timeout(REQUEST_MS_MAX);
  const request = { url: `${url}/state`, headers: headersOf(access), tls: access.tls, signal };
  try {
    return (await getJson(request)) as MasterState;
  } catch {
    return undefined;
  }
}

interface Kubeconfig {
  readonly clusters: readonly {
    readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string };
  }[];
}

function isInstanceReady(kubeconfigPath: string): Promise<boolean> {
  return new Promise((done) => {
    try {
      const config = parse(readFileSync(kubeconfigPath, 'utf8')) as Kubeconfig;
      const cluster = config.clusters[0]?.cluster;
      const ca = Buffer.from(cluster?.['certificate-authority-data'] ?? '', 'base64');
      const request = httpsRequest(
        `${cluster?.server}/readyz`,
        { ca, timeout: REQUEST_MS_MAX, agent: false },
        (answer) => {
          answer.resume();
          done(answer.statusCode === 200);
        },
      );
      request.on('error', () => done(false));
      request.on('timeout', () => request.destroy());
      request.end();
    } catch {
      // No kubeconfig yet: the instance has never been ready.
      done(false);
    }
  });
}

async function instanceStatus(home: Home, instance: InstanceConfig) {
  const kubeconfig = home.kubeconfig(instance.name);
  const ready = await isInstanceReady(kubeconfig);
  return { name: instance.name, url: `https://127.0.0.1:${instance.port}`, kubeconfig, ready };
}

export async function readStatus(homeFolder: string, access: Access): Promise<ClusterStatus> {
  const home = new Home(homeFolder);
  const url = (home.running() ?? home.lastState())?.masterUrl ?? urlOf(access, '127.0.0.1:5050');
  const state = await masterState(url, access);
  const agents = (state?.slaves ?? []).map((agent) => ({
    id: agent.id,
    url: urlOf(access, agent.pid.slice(agent.pid.indexOf('@') + 1)),
    state: agent.active ? 'active' : agent.deactivated === true ? 'deactivated' : 'inactive',
  }));
  const instances = await Promise.all(home.instances().map((one) => instanceStatus(home, one)));
  return { master: { url, leader: state?.leader ?? null }, agents, instances };
}

export async function status(
  options: { home: string; output: string; credential?: string },
  env: Env,
): Promise<number> {
  const access = readAccess(options.credential, process.env, env.log);
  const found = await readStatus(options.home, access);
  if (options.output === 'json') {
    process.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
    return 0;
  }
  const { master } = found;
  process.stdout.write(`master    ${master.url}  ${master.leader === null ? 'down' : 'leading'}\n`);
  for (const agent of found.agents) {
    process.stdout.write(`agent     ${agent.url}  ${agent.state}  ${agent.id}\n`);
  }
  for (const instance of found.instances) {
    const word = instance.ready ? 'ready' : 'not ready';
    process.stdout.write(
      `instance  ${instance.url}  ${word}  ${instance.name}  ${instance.kubeconfig}\n`,
    );
  }
  return 0;
}
