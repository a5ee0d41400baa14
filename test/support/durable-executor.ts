// A custom executor for tests, started in a shell loop: it keeps its tasks in a file, so that it may
// be killed and come back. Tasks run until they are killed; the message `die` kills the executor.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createEnv } from '#env/node/env.ts';
import { readTlsSettings } from '#mesos/security/tls-settings.ts';
import { ExecutorClient, executorOptions } from '#mesos/client/executor-client.ts';

const env = createEnv({ component: 'executor', logLevel: 'debug', logFormat: 'text' });
const file = 'tasks.json';
const tasks: string[] = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];

function remember(): void {
  writeFileSync(file, JSON.stringify(tasks));
}

const client = new ExecutorClient(
  executorOptions(process.env, readTlsSettings(process.env, env.log)),
  {
    onEvent: (event) => {
      if (event.type === 'LAUNCH' && event.launch !== undefined) {
        const { task_id } = event.launch.task;
        if (tasks.includes(task_id.value)) return;
        tasks.push(task_id.value);
        remember();
        client.sendUpdate({ task_id, state: 'TASK_RUNNING' });
      }
      if (event.type === 'KILL' && event.kill !== undefined) {
        const { task_id } = event.kill;
        tasks.splice(tasks.indexOf(task_id.value), 1);
        remember();
        client.sendUpdate({ task_id, state: 'TASK_KILLED' });
      }
      if (event.type === 'MESSAGE' && Buffer.from(event.message?.data ?? []).toString() === 'die') {
        process.kill(process.pid, 'SIGKILL');
      }
      if (event.type === 'MESSAGE') client.sendMessage(Buffer.from(`secret ${process.env['KEY']}`));
      if (event.type === 'SHUTDOWN') process.exit(0);
    },
    onAbandoned: () => process.exit(1),
  },
  env,
);
client.start();
