// Where steps are sent to: the server of a kubeconfig, or one of ours that is started for them.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Env } from '#env/env.ts';
import { createEnv } from '#env/node/env.ts';
import { flagKey } from '#kube/apiserver/access-flag-names.ts';
import { startApiServer, type ApiServer, type ApiServerOptions } from '#kube/apiserver/server.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { MemoryStore } from '#store/memory-store.ts';
import { componentConfig } from './component-config.ts';
import type { Target } from './kube-sender.ts';
import { flowsReported } from './flows-reported.ts';

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: Readonly<Record<string, string>> }[];
  readonly users: readonly { readonly user: Readonly<Record<string, string | undefined>> }[];
}

const decoded = (text: string | undefined): Buffer | undefined =>
  text === undefined ? undefined : Buffer.from(text, 'base64');

export const targetOf = (path: string): Target =>
  targetIn(parse(readFileSync(path, 'utf8')) as Kubeconfig);

/** The administrator by a certificate, as the real server's that answers were recorded of. */
async function adminTarget(server: ApiServer): Promise<Target> {
  return targetIn(
    (await componentConfig(server, 'kubernetes-admin', ['system:masters'])) as Kubeconfig,
  );
}

function targetIn(config: Kubeconfig): Target {
  const { cluster = {} } = config.clusters[0] ?? {};
  const user = config.users[0]?.user ?? {};
  const ca = decoded(cluster['certificate-authority-data']);
  const agent = new Agent({
    keepAlive: true,
    ca,
    cert: decoded(user['client-certificate-data']),
    key: decoded(user['client-key-data']),
  });
  const headers: Record<string, string> =
    user['token'] === undefined ? {} : { authorization: `Bearer ${user['token']}` };
  return { server: cluster['server'] ?? '', agent, bare: new Agent({ ca }), headers };
}

/** Of kube-apiserver, without the dashes before them; some are given several times. */
export type GivenFlags = Readonly<Record<string, string | readonly string[]>>;

/** Flags of kube-apiserver, as this server takes them. */
export function ownOptions(given: GivenFlags): Partial<ApiServerOptions> {
  const {
    'service-cluster-ip-range': serviceCidr = '198.18.0.0/16',
    'advertise-address': _told,
    ...access
  } = given;
  const flags = Object.fromEntries(
    Object.entries(access).map(([name, value]) => [flagKey(name), value]),
  );
  return { flags, serviceCidr: String(serviceCidr) };
}

export interface OwnServer {
  readonly server: ApiServer;
  readonly home: string;
  readonly target: Target;
  /** With the same store and other options. */
  restart(more: Partial<ApiServerOptions>): Promise<Target>;
  close(): Promise<void>;
}

const quiet = (): Env => createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });

export async function startOwnServer(
  more: Partial<ApiServerOptions> = {},
  env = quiet(),
): Promise<OwnServer> {
  const home = mkdtempSync(join(tmpdir(), 'strata-test-steps-'));
  const options = {
    instance: 'default',
    home,
    listen: { host: '127.0.0.1', port: 0 },
    store: new MemoryStore(),
    registry: new TypeRegistry(),
    serviceCidr: '198.18.0.0/16',
    ...more,
  };
  let running = await startApiServer(options, env);
  await flowsReported(options.store);
  let target = await adminTarget(running);
  return {
    server: running,
    home,
    target,
    async restart(given) {
      target.agent.destroy();
      await running.close();
      running = await startApiServer({ ...options, ...given }, env);
      target = await adminTarget(running);
      return target;
    },
    async close() {
      target.agent.destroy();
      await running.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
