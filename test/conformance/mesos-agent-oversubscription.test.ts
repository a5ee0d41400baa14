// What an agent's estimator says reaches frameworks as revocable offers, from our master and a real one;
// and the QoS controller ends what was launched on them, and nothing else.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import type { Offer, Resource } from '#wire/mesos/v1.ts';
import { AgentMachine, bestMaster, stop } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const masters = bestMaster === 'real' ? (['real', 'own'] as const) : (['own'] as const);

/** Sees no load, or one that no machine stands. */
const THRESHOLDS = { calm: '100000', alarmed: '0' };

for (const kind of masters) {
  suite(`oversubscription (${kind} master)`, () => {
    const machine = new AgentMachine(kind);
    let framework: TestFramework;
    const flags = (load: keyof typeof THRESHOLDS): string[] => {
      const path = join(machine.folder, 'modules.json');
      const module = (name: string, key: string, value: string) => ({
        name,
        parameters: [{ key, value }],
      });
      const modules = [
        module('org_apache_mesos_FixedResourceEstimator', 'resources', 'cpus:3'),
        module('org_apache_mesos_LoadQoSController', 'load_threshold_5min', THRESHOLDS[load]),
      ];
      writeFileSync(path, JSON.stringify({ libraries: [{ file: 'none.so', modules }] }));
      const named = {
        modules: path,
        resource_estimator: 'org_apache_mesos_FixedResourceEstimator',
        qos_controller: 'org_apache_mesos_LoadQoSController',
        oversubscribed_resources_interval: '200ms',
      };
      return Object.entries(named).flatMap(([name, value]) => ['--flag', `${name}=${value}`]);
    };
    before(async () => {
      await machine.start(flags('calm'));
      const capabilities = ['MULTI_ROLE', 'PARTITION_AWARE', 'REVOCABLE_RESOURCES'] as const;
      framework = new TestFramework(machine.masterUrl, env, {
        capabilities: capabilities.map((type) => ({ type })),
      });
    });
    after(async () => {
      await framework?.close();
      await machine.close();
    });

    const cpus = (value: number, offer: Offer, isLent: boolean): Resource => ({
      name: 'cpus',
      type: 'SCALAR',
      scalar: { value },
      allocation_info: offer.allocation_info,
      ...(isLent ? { revocable: {} } : {}),
    });
    const memory = (offer: Offer): Resource => ({
      name: 'mem',
      type: 'SCALAR',
      scalar: { value: 32 },
      allocation_info: offer.allocation_info,
    });

    function launch(id: string, isLent: boolean): void {
      framework.operate((offer) => {
        const lent = (offer.resources ?? []).filter((one) => one.revocable !== undefined);
        const there = lent.reduce((sum, one) => sum + (one.scalar?.value ?? 0), 0);
        const memoryThere = (offer.resources ?? []).some((one) => one.name === 'mem');
        if ((isLent && there < 2) || !memoryThere) return undefined;
        const task = {
          name: id,
          task_id: { value: id },
          agent_id: offer.agent_id,
          resources: [cpus(isLent ? 2 : 1, offer, isLent), memory(offer)],
          command: { value: 'exec sleep 600' },
        };
        return [{ type: 'LAUNCH', launch: { task_infos: [task] } }];
      });
    }

    test('a task runs on revocable cpus; a load too high ends it, and its neighbour not', async () => {
      launch('lent', true);
      await framework.reached('lent', 'TASK_RUNNING');
      launch('mine', false);
      await framework.reached('mine', 'TASK_RUNNING');
      const metrics = async (): Promise<Record<string, number>> =>
        (await (await fetch(`${machine.agentUrl}/metrics/snapshot`)).json()) as never;
      const { 'slave/cpus_revocable_total': total, 'slave/cpus_revocable_used': used } =
        await metrics();
      assert.deepEqual([total, used], [3, 2]);
      // It adopts both, then sees a load that is too high for it.
      await stop(machine.agent, 'SIGKILL');
      machine.startAgent(flags('alarmed'));
      const end = await framework.reached('lent', 'TASK_GONE');
      assert.equal(end.reason, 'REASON_CONTAINER_PREEMPTED');
      assert.equal(end.message, 'Container preempted by QoS correction');
      await eventually('it is counted', async () =>
        (await metrics())['slave/executors_preempted'] === 1 ? true : undefined,
      );
      assert.deepEqual(framework.statesOf('mine').at(-1), 'TASK_RUNNING');
      framework.kill('mine');
      await framework.reached('mine', 'TASK_KILLED');
    });
  });
}
