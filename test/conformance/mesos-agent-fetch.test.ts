// Files that tasks and executors name, as a framework sees them: an agent of Strata's with a real Mesos 1.11
// master where there is one. What is fetched and how: src/mesos/executor/fetcher.test.ts.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import type { CommandInfo } from '#wire/mesos/v1.ts';
import { AgentMachine, bestMaster } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const SCRIPT = 'echo fetched; exit 5';

suite(`files that tasks name (${bestMaster} master)`, () => {
  const machine = new AgentMachine(bestMaster);
  /** Answers that have begun and do not go on; those whose client has gone are left out. */
  const stalled = new Set<ServerResponse>();
  let framework: TestFramework;
  let server: Server;
  let url = '';
  before(async () => {
    server = createServer((request, response) => {
      if (request.url !== '/stalls') response.end(SCRIPT);
      else {
        response.write('some');
        stalled.add(response);
        response.once('close', () => stalled.delete(response));
      }
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const program = join(machine.folder, 'fetch-own');
    writeFileSync(program, `#!/bin/sh\necho "$1" > "$2"\n`, { mode: 0o755 });
    machine.agentFlags = { fetcher_programs: JSON.stringify({ own: program }) };
    await machine.start();
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework?.close();
    server?.closeAllConnections();
    server?.close();
    await machine.close();
  });

  test('a task runs what it has fetched, if that is as its digest says', async () => {
    const digest = createHash('sha256').update(SCRIPT).digest('hex');
    const run = (value: string) => ({ value: 'sh ./script', uris: [{ value }] });
    framework.launch([
      { id: 'as-said', command: run(`${url}/script#sha256=${digest}`) },
      { id: 'another', command: run(`${url}/script#sha256=${'0'.repeat(64)}`) },
    ]);
    const end = await framework.reached('as-said', 'TASK_FAILED');
    assert.equal(end.message, 'Command exited with status 5');
    const refused = await framework.reached('another', 'TASK_FAILED');
    assert.equal(refused.reason, 'REASON_CONTAINER_LAUNCH_FAILED');
    assert.match(refused.message ?? '', new RegExp(`has the sha256 ${digest}, not 0{64}`));
  });

  test('a scheme of the operator’s is brought by its program', async () => {
    const uris = [{ value: 'own:some/thing' }];
    framework.launch([{ id: 'own', command: { value: 'grep -x own:some/thing thing', uris } }]);
    await framework.reached('own', 'TASK_FINISHED');
  });

  const stalls = (): CommandInfo => ({ value: 'true', uris: [{ value: `${url}/stalls` }] });
  const launches = {
    task: () => ({ command: stalls() }),
    executor: () => ({
      executor: { executor_id: { value: 'fetches' }, type: 'CUSTOM', command: stalls() } as const,
    }),
  };
  for (const [kind, launch] of Object.entries(launches)) {
    test(`a kill does not wait for the files of a ${kind}`, async () => {
      framework.launch([{ id: `waits-${kind}`, ...launch() }]);
      await eventually('the download has begun', async () => stalled.size === 1 || undefined);
      framework.kill(`waits-${kind}`);
      await framework.reached(`waits-${kind}`, 'TASK_KILLED');
      await eventually('the download is given up', async () => stalled.size === 0 || undefined);
    });
  }
});
