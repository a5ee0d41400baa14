// The two agents that scripts are played against, each registered with a master of Strata's: a real Mesos
// 1.11 agent, or Strata's, configured alike.
import { join } from 'node:path';
import { AgentMachine } from '#test/support/agent-machine.ts';
import type { RunningMaster, Settings } from './masters.ts';

export async function startAgent(
  kind: 'real' | 'own',
  settings: Settings = {},
): Promise<RunningMaster> {
  const machine = new AgentMachine('own', kind);
  machine.agentFlags = { hostname: 'localhost', ...settings.flags };
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
