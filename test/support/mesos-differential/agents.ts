// The two agents that scripts are played against, each registered with a master of Strata's: a real Mesos
// 1.11 agent, or Strata's, configured alike.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentMachine } from '#test/support/agent-machine.ts';
import type { RunningMaster, Settings } from './masters.ts';

export async function startAgent(
  kind: 'real' | 'own',
  settings: Settings = {},
): Promise<RunningMaster> {
  const machine = new AgentMachine('own', kind);
  machine.agentFlags = {
    hostname: 'localhost',
    ...settings.flags,
    ...credentialsOf(settings, machine.folder, kind),
  };
  await machine.start();
  return {
    url: `http://127.0.0.1:${machine.agentPort}`,
    masterUrl: machine.masterUrl,
    texts: new Map([
      [`127.0.0.1:${machine.masterPort}`, '<master>'],
      [join(machine.folder, kind === 'real' ? 'agent/agents/0/work' : 'agent'), '<work>'],
    ]),
    close: () => machine.close(),
  };
}

/** --http_credentials, in a file of the machine's folder; the real one's program begins with a master that wants them. */
function credentialsOf(
  { credentials }: Settings,
  folder: string,
  kind: 'real' | 'own',
): Record<string, string> {
  if (credentials === undefined) return {};
  const path = join(folder, 'http-credentials.json');
  const list = Object.entries(credentials).map(([principal, secret]) => ({ principal, secret }));
  writeFileSync(path, JSON.stringify({ credentials: list }), { mode: 0o600 });
  return { http_credentials: path, ...(kind === 'real' ? { credentials: path } : {}) };
}
