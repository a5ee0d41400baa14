// The v1 scheduler API: what a call is answered, whoever has read it from its connection: in the order in
// which Mesos 1.11 checks (inventory 1.1).
import type { Principal } from '#mesos/security/principal.ts';
import type { SchedulerCall } from '#wire/mesos/v1.ts';
import { validateSchedulerCall } from './call-validation.ts';
import {
  acceptedType,
  isRefusal,
  NOT_ACCEPTABLE,
  parseCall,
  type ContentType,
} from '#mesos/libprocess/negotiate.ts';
import type { MasterShell } from './shell.ts';
import type { Refusal } from '#mesos/libprocess/refusal.ts';

export interface CallRequest {
  /** Of the body. */
  readonly type: ContentType;
  readonly body: Buffer;
  readonly accept: string | undefined;
  readonly streamId: string | undefined;
  /** Undefined where nobody has to say who they are. */
  readonly principal: Principal | undefined;
}

/** A SUBSCRIBE that is to be answered by a stream of this type. */
export interface Subscription {
  readonly call: SchedulerCall;
  readonly type: ContentType;
}

/** Its status; without a message when the call is taken. */
export type CallAnswer = Refusal;

const ACCEPTED: CallAnswer = { status: 202, message: '' };
const UPDATED: CallAnswer = { status: 200, message: '' };

export class SchedulerApi {
  readonly #shell: MasterShell;

  constructor(shell: MasterShell) {
    this.#shell = shell;
  }

  answer(request: CallRequest): CallAnswer | Subscription {
    const { streamId, principal } = request;
    const call = parseCall('SchedulerCall', request.type, request.body);
    if (isRefusal(call)) return call;
    const wrong = validateSchedulerCall(call, principal);
    if (wrong !== undefined) {
      return { status: 400, message: `Failed to validate scheduler::Call: ${wrong}` };
    }
    if (call.type === 'SUBSCRIBE' || call.type === 'RECONCILE_OPERATIONS') {
      const type = acceptedType(request.accept);
      if (type === undefined) return { status: 406, message: NOT_ACCEPTABLE };
      if (call.type === 'SUBSCRIBE') {
        if (streamId === undefined) return { call, type };
        const message = "Subscribe calls should not include the 'Mesos-Stream-Id' header";
        return { status: 400, message };
      }
    }
    const refusal = this.#shell.call(call, streamId, principal);
    return refusal ?? (call.type === 'UPDATE_FRAMEWORK' ? UPDATED : ACCEPTED);
  }
}
