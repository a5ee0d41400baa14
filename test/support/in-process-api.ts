// The true API server behind a client without a network between: requests go straight into its handler,
// so that whole controllers run on virtual time.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalTransport } from '#bin/local-transport.ts';
import { DefaultObjects } from '#kube/apiserver/default-objects.ts';
import { bootstrap } from '#kube/apiserver/bootstrap.ts';
import { Handler } from '#kube/apiserver/handler.ts';
import { TokenAuthority } from '#kube/apiserver/tokens.ts';
import { authenticated } from '#kube/apiserver/user.ts';
import { KubeClient } from '#kube/client/client.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { MemoryStore } from '#store/memory-store.ts';
import type { Env, Log } from '#env/env.ts';
import { SimClock } from '#env/sim/clock.ts';
import { SimRandom } from '#env/sim/random.ts';

export interface SimEnv extends Env {
  readonly clock: SimClock;
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>> | undefined;
}

export function createSimEnv(seed: number, lines: LogLine[] = []): SimEnv {
  const clock = new SimClock();
  const at =
    (level: string) =>
    (message: string, fields?: Readonly<Record<string, unknown>>): void =>
      void lines.push({ level, message, fields });
  const log: Log = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => log,
  };
  return { clock, timers: clock, random: new SimRandom(seed), log };
}

export interface InProcessApi {
  readonly client: KubeClient;
  readonly transport: LocalTransport;
  readonly store: MemoryStore;
  readonly handler: Handler;
  /** Another user's way to it. */
  as(name: string, groups: readonly string[]): LocalTransport;
  close(): void;
}

export async function startInProcessApi(
  env: Env,
  serviceCidrs: readonly string[] = ['10.96.0.0/16'],
): Promise<InProcessApi> {
  const folder = mkdtempSync(join(tmpdir(), 'strata-api-'));
  const tokens = await TokenAuthority.open(folder);
  const store = new MemoryStore();
  const handler = new Handler(
    {
      store,
      registry: new TypeRegistry(),
      tokens,
      serviceCidrs,
      kubelet: { caCert: '', pair: { cert: '', key: '' } },
    },
    env,
  );
  await bootstrap(handler, () => new DefaultObjects(handler, serviceCidrs, env).ensure());
  const transport = new LocalTransport(handler, {
    user: authenticated('admin', ['system:masters']),
    userAgent: 'test',
  });
  return {
    client: new KubeClient(transport),
    transport,
    store,
    handler,
    as: (name, groups) =>
      new LocalTransport(handler, { user: authenticated(name, groups), userAgent: 'test' }),
    close() {
      handler.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
