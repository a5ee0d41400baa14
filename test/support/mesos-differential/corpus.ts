// Every scene that is played against both masters; each starts a master of its own.
import type { Settings } from './masters.ts';
import type { World } from './player.ts';
import { aclFrameworks } from './scenes/acl-frameworks.ts';
import { aclOperators } from './scenes/acl-operators.ts';
import { aclPrincipals } from './scenes/acl-principals.ts';
import { aclViews } from './scenes/acl-views.ts';
import { agents } from './scenes/agents.ts';
import { authentication } from './scenes/authentication.ts';
import { cluster } from './scenes/cluster.ts';
import { draining } from './scenes/draining.ts';
import { endpoints } from './scenes/endpoints.ts';
import { eventStream, eventViews } from './scenes/event-stream.ts';
import { flags } from './scenes/flags.ts';
import { maintenance } from './scenes/maintenance.ts';
import { operationErrors } from './scenes/operation-errors.ts';
import { operatorCalls } from './scenes/operator-calls.ts';
import { providers } from './scenes/providers.ts';
import { rateLimits } from './scenes/rate-limits.ts';
import { registrationsOfAgents } from './scenes/registrations.ts';
import { schedulerCalls } from './scenes/scheduler-calls.ts';
import { taskErrors } from './scenes/task-errors.ts';

export interface Scene {
  readonly name: string;
  readonly settings?: Settings;
  play(world: World): Promise<void>;
}

export const scenes: readonly Scene[] = [
  endpoints,
  operatorCalls,
  schedulerCalls,
  cluster,
  maintenance,
  draining,
  agents,
  taskErrors,
  operationErrors,
  authentication,
  rateLimits,
  aclViews,
  aclOperators,
  aclFrameworks,
  aclPrincipals,
  flags,
  providers,
  registrationsOfAgents,
  eventStream,
  eventViews,
];
