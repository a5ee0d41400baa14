// Every scene that is played against both agents; each has a master and an agent of its own.
import { agentAuthentication } from './agent-scenes/authentication.ts';
import { agentCalls } from './agent-scenes/calls.ts';
import { agentEndpoints } from './agent-scenes/endpoints.ts';
import { agentExecutorCalls } from './agent-scenes/executor-calls.ts';
import { agentTasks } from './agent-scenes/tasks.ts';
import type { Scene } from './corpus.ts';

export const agentScenes: readonly Scene[] = [
  agentEndpoints,
  agentCalls,
  agentExecutorCalls,
  agentTasks,
  agentAuthentication,
];
