// One request on its way through a master or an agent: what was asked, where the answer goes, and who asks.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '#mesos/security/principal.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Undefined where nobody has to say who they are. */
  readonly principal: Principal | undefined;
}
