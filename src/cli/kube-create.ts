// `strata kube create NAME`: one more Kubernetes instance on the substrate of a home.
import { Fault } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import { checkInstanceName, Home } from '#supervisor/home.ts';
import { waitForState } from './state-watch.ts';
import { KUBE_PORT, REREAD_SIGNAL } from './up.ts';

const READY_MS_MAX = 120_000;
/** After so many the user is told; the supervisor goes on trying. */
const TRIES = 6;

export async function kubeCreate(
  options: { home: string; name: string; serviceClusterIpRange?: string | undefined },
  env: Env,
): Promise<number> {
  const { name } = options;
  checkInstanceName(name);
  const home = new Home(options.home);
  const running = home.running();
  if (running === undefined) {
    throw new Fault(
      { code: 'not-running' },
      `Cannot create instance "${name}": nothing runs in ${options.home}`,
    );
  }
  const existing = home.instances();
  if (existing.some((instance) => instance.name === name)) {
    throw new Fault(
      { code: 'exists', name },
      `Cannot create instance "${name}": it exists already`,
    );
  }
  const first = KUBE_PORT + running.portOffset;
  let port = first;
  while (existing.some((instance) => instance.port === port)) port += 1;
  home.addInstance(name, port, options.serviceClusterIpRange);
  process.kill(running.pid, REREAD_SIGNAL);
  const part = `kube-${name}`;
  const state = await waitForState(
    home,
    (now) => {
      const found = now.parts.find((one) => one.name === part);
      return found?.state === 'ready' || (found?.failures ?? 0) >= TRIES;
    },
    READY_MS_MAX,
    env,
  );
  const found = state?.parts.find((one) => one.name === part);
  if (found?.state !== 'ready') {
    const why = found?.exit === undefined ? '' : `: ${found.exit}`;
    const log = home.path('log', `${part}.log`);
    process.stderr.write(`strata: instance "${name}" is not ready yet${why}; its log is ${log}\n`);
    return 1;
  }
  process.stdout.write(
    `${part}: ready at https://127.0.0.1:${port}\nkubeconfig: ${home.kubeconfig(name)}\n`,
  );
  return 0;
}
