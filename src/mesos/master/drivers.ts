// The shell's side of scheduler drivers (v0): each is a libprocess process with a pid and one
// connection of the core's; its messages are calls, events are messages to it (driver-messages.ts).
import type { LibprocessEndpoint } from '#mesos/libprocess/endpoint.ts';
import { decode, encode } from '#wire/mesos/codec.ts';
import type { SchedulerCall, SchedulerEvent } from '#wire/mesos/v1.ts';
import { validateSchedulerCall } from './call-validation.ts';
import {
  fromDriverNames,
  messageFor,
  requestOf,
  type FromDriver,
  type FromDriverName,
  type ToDriver,
} from './driver-messages.ts';
import type { MasterShell } from './shell.ts';
import type { ConnectionId, FrameworkRecord } from './types.ts';

const INTERNAL = 'mesos.internal.';
const CALL = 'mesos.scheduler.Call';
const knownNames: ReadonlySet<string> = new Set(fromDriverNames);

/** Calls that only HTTP frameworks may make. */
const notForDrivers: ReadonlySet<string> = new Set([
  'ACKNOWLEDGE_OPERATION_STATUS',
  'RECONCILE_OPERATIONS',
]);

interface Driver {
  readonly pid: string;
  readonly connection: ConnectionId;
  isReregistration: boolean;
}

export class DriverLinks {
  readonly #shell: MasterShell;
  readonly #libprocess: LibprocessEndpoint;
  readonly #byPid = new Map<string, Driver>();
  readonly #byConnection = new Map<ConnectionId, Driver>();

  constructor(shell: MasterShell, libprocess: LibprocessEndpoint) {
    this.#shell = shell;
    this.#libprocess = libprocess;
  }

  /** False: it is no message of a driver's. Fault `bad-protobuf`. */
  onMessage(from: string, fullName: string, body: Uint8Array): boolean {
    const name = fullName === CALL ? 'DriverCall' : fullName.replace(INTERNAL, '');
    if (!knownNames.has(name)) return false;
    const known = name as FromDriverName;
    this.#onRequest(from, { name: known, body: decode(known, body) } as FromDriver);
    return true;
  }

  /** Of the driver at a pid, once it is registered. */
  frameworkOf(pid: string): FrameworkRecord | undefined {
    const driver = this.#byPid.get(pid);
    if (driver === undefined) return undefined;
    const { state } = this.#shell.core;
    return state.frameworks.get(state.byConnection.get(driver.connection) ?? '');
  }

  /** False: it is no driver's connection. */
  send(connection: ConnectionId, event: SchedulerEvent): boolean {
    const driver = this.#byConnection.get(connection);
    if (driver === undefined) return false;
    const { state } = this.#shell.core;
    const message = messageFor(event, {
      frameworkId: state.byConnection.get(connection) ?? '',
      isReregistration: driver.isReregistration,
      agentPid: (agentId) => state.agents.get(agentId)?.pid,
    });
    if (message !== undefined) this.#tell(driver.pid, message);
    return true;
  }

  /** The core is done with the connection. */
  close(connection: ConnectionId): void {
    const driver = this.#byConnection.get(connection);
    if (driver === undefined) return;
    this.#byConnection.delete(connection);
    this.#byPid.delete(driver.pid);
    this.#libprocess.unlink(driver.pid);
  }

  /** The process at a pid is gone; false: it was no driver. */
  onExited(pid: string): boolean {
    const driver = this.#byPid.get(pid);
    if (driver === undefined) return false;
    this.close(driver.connection);
    this.#shell.perform(this.#shell.core.disconnected(driver.connection, this.#shell.now));
    return true;
  }

  #onRequest(from: string, message: FromDriver): void {
    if (message.name === 'UnregisterFrameworkMessage') {
      this.#shell.core.state.count('messages_unregister_framework');
    }
    const request = requestOf(message);
    switch (request.kind) {
      case 'submit':
        this.#tell(from, { name: 'SubmitSchedulerResponse', body: { okay: false } });
        return;
      case 'refused':
        this.#tell(from, { name: 'FrameworkErrorMessage', body: { message: request.why } });
        return;
      case 'deactivate': {
        const driver = this.#byPid.get(from);
        const { core } = this.#shell;
        if (driver === undefined) return;
        if (core.state.byConnection.get(driver.connection) !== request.frameworkId) return;
        this.#shell.perform(core.deactivate(driver.connection));
        return;
      }
      case 'subscribe':
        if (this.#isValid(from, request.call)) this.#subscribe(from, request.call, request.force);
        return;
      case 'call':
        if (this.#isValid(from, request.call)) this.#call(from, request.call);
    }
  }

  /** Drivers are not told what is wrong with a call: the call is dropped. */
  #isValid(from: string, call: SchedulerCall): boolean {
    const wrong = validateSchedulerCall(call);
    if (wrong !== undefined) this.#drop(from, call, wrong);
    return wrong === undefined;
  }

  #drop(from: string, { type }: SchedulerCall, why: string): void {
    this.#shell.env.log.warn('Dropping the call of a driver', { from, type, why });
  }

  #subscribe(from: string, call: SchedulerCall, force: boolean): void {
    const { core, now } = this.#shell;
    const known = core.state.frameworks.get(call.framework_id?.value ?? '');
    const isReregistration = known !== undefined && !known.isRecovered && !force;
    const driver = this.#byPid.get(from) ?? {
      pid: from,
      connection: this.#shell.newConnection(),
      isReregistration,
    };
    driver.isReregistration = isReregistration;
    this.#byPid.set(from, driver);
    this.#byConnection.set(driver.connection, driver);
    this.#libprocess.link(from);
    this.#shell.perform(core.subscribe(driver.connection, call, now, { pid: from, force }));
  }

  #call(from: string, call: SchedulerCall): void {
    const { core, now } = this.#shell;
    const id = call.framework_id?.value ?? '';
    const framework = core.state.frameworks.get(id);
    if (framework === undefined) {
      this.#drop(from, call, 'Framework cannot be found');
      return;
    }
    if (framework.pid !== from) {
      this.#drop(from, call, 'Call is not from registered framework');
      return;
    }
    if (framework.connection === undefined) {
      // It does not know that its link is broken: this ends it.
      const message = 'Framework disconnected';
      this.#tell(from, { name: 'FrameworkErrorMessage', body: { message } });
      return;
    }
    if (notForDrivers.has(call.type ?? '')) {
      this.#drop(from, call, `'${call.type}' is not supported by the v0 API`);
      return;
    }
    const outcome = core.call(id, call, now);
    if (!('status' in outcome)) this.#shell.perform(outcome);
    else this.#tell(from, { name: 'FrameworkErrorMessage', body: { message: outcome.message } });
  }

  #tell(pid: string, { name, body }: ToDriver): void {
    this.#libprocess.send(pid, `${INTERNAL}${name}`, encode(name, body as never));
  }
}
