// An instance on a real Mesos 1.11 master, which takes no notice of REQUEST, and on Strata's, which
// cuts offers to it: the same pods run on both, a pod that fits nowhere says why, and neighbours are
// left what the instance does not need.
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { SchedulerClient } from '#mesos/client/scheduler-client.ts';
import { AgentMachine, realMaster, stop } from '#test/support/agent-machine.ts';
import { freePort } from '#test/support/free-port.ts';
import { eventually, root, run } from '#test/support/cluster.ts';
import { kubectlFolder } from '#test/support/kubectl.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const AGENT_CPUS = 8;

async function strataWhy(what: string, { folder, masterPort }: AgentMachine): Promise<string> {
  const home = ['--home', join(folder, 'agent'), '--instance', 'i'];
  const command = [process.execPath, join(root, 'src/bin/strata.ts'), 'why', what, ...home];
  const result = await run([...command, '--master', `127.0.0.1:${masterPort}`]);
  assert.equal(result.status, 0, result.stderr);
  return result.stdout;
}

function stories(kind: 'real' | 'own'): void {
  const machine = new AgentMachine(kind);
  let instance: ChildProcess;
  let kubectl: (words: string, input?: string) => Promise<string>;

  before(async () => {
    await machine.start();
    const port = String(await freePort());
    const home = join(machine.folder, 'agent');
    const strata = join(root, 'src/bin/strata.ts');
    const words = ['kube', 'serve', 'i', '--home', home, '--port', port];
    const master = ['--master', `127.0.0.1:${machine.masterPort}`];
    const log = openSync(join(machine.folder, 'kube.log'), 'a');
    instance = spawn(process.execPath, [strata, ...words, ...master], {
      stdio: ['ignore', log, log],
    });
    const folder = await kubectlFolder();
    const config = join(home, 'kube/i/kubeconfig');
    kubectl = async (line, input) => {
      const command = [join(folder, 'kubectl'), '--kubeconfig', config, ...line.split(' ')];
      const { status, stdout, stderr } = await run(command, input === undefined ? {} : { input });
      if (status !== 0) throw new Error(`kubectl ${line}: ${stderr}`);
      return stdout;
    };
    await eventually('the instance has its node', async () => {
      if (!existsSync(config)) return undefined;
      return (await kubectl('get nodes')).includes(' Ready ') ? true : undefined;
    });
  });

  after(async () => {
    await kubectl('delete deployment,pod --all --wait=true --timeout=60s').catch(() => {});
    await stop(instance, 'SIGTERM');
    await machine.close();
  });

  const running = (count: number): Promise<true> =>
    eventually(`${count} pods run`, async () => {
      const pods = await kubectl('get pods --no-headers');
      const all = pods.split('\n').filter((line) => line.includes(' Running '));
      return all.length === count ? true : undefined;
    });

  test('a deployment runs, grows and shrinks', async () => {
    await kubectl('create deployment web --image=host --replicas=2 -- sleep 1000');
    await running(2);
    await kubectl('scale deployment web --replicas=7');
    await running(7);
    await kubectl('scale deployment web --replicas=1');
    await running(1);
  });

  test('a pod that is too large says why, and runs when there is room', async () => {
    const pod = (name: string, cpu: string): string =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [
            {
              name: 'c',
              image: 'host',
              command: ['sleep', '1000'],
              resources: { requests: { cpu } },
            },
          ],
        },
      });
    await kubectl('apply -f -', pod('first', '5'));
    await running(2);
    await kubectl('apply -f -', pod('second', '4'));
    await eventually('the reason is told', async () => {
      const path = '{.status.conditions[?(@.type=="PodScheduled")].message}';
      const text = await kubectl(`get pod second -o jsonpath=${path}`);
      return text.includes('Insufficient cpu') ? true : undefined;
    });
    if (kind === 'own') {
      const why = await strataWhy('pod/second', machine);
      assert.match(
        why,
        /pod default\/second of instance i\n {2}why {5}no node for it: Unschedulable/,
      );
      assert.match(why, /kubernetes-i \(.*\) in role kube\/i\n {2}why {5}1 agent: /);
      assert.match(await strataWhy('pod/first', machine), /why {5}it is Running on node /);
    }
    await kubectl('delete pod first');
    await running(2);
  });

  test('a neighbour is offered what the instance does not need', async () => {
    let cpus = 0;
    const neighbour = new SchedulerClient(
      {
        masterUrl: machine.masterUrl,
        framework: {
          user: 'root',
          name: 'neighbour',
          roles: ['other'],
          capabilities: [{ type: 'MULTI_ROLE' }],
        },
      },
      {
        onEvent: (event) => {
          for (const offer of event.offers?.offers ?? []) {
            const mine = (offer.resources ?? []).filter(({ name }) => name === 'cpus');
            cpus = Math.max(
              cpus,
              mine.reduce((sum, one) => sum + (one.scalar?.value ?? 0), 0),
            );
          }
        },
        onDisconnected: () => {},
        onError: () => {},
      },
      env,
    );
    neighbour.start();
    try {
      await eventually('an offer', async () => (cpus > 0 ? true : undefined));
      // `second`, `web` and the executor; what is left is nobody's.
      assert.ok(cpus > 3 && cpus < AGENT_CPUS - 4, `${cpus} cpus`);
    } finally {
      await neighbour.call({ type: 'TEARDOWN' }).catch(() => {});
      neighbour.close();
    }
  });

  test('nothing went wrong on the way', () => {
    const log = readFileSync(join(machine.folder, 'kube.log'), 'utf8');
    assert.doesNotMatch(log, /ERROR|A call to the master failed/);
  });
}

const noReal = existsSync(realMaster) ? false : 'no real Mesos (set STRATA_REAL_MESOS)';
suite("an instance on Strata's master", () => stories('own'));
suite('an instance on a real Mesos master', { skip: noReal }, () => stories('real'));
