// Maintenance of machines (inventory 2.12 and 10.1): a schedule, machines that go down and come up
// again, and inverse offers that ask frameworks to leave in time.
import type {
  InverseOffer,
  InverseOfferStatus_Status,
  MachineID,
  MachineInfo,
  OfferID,
  MaintenanceSchedule,
  Unavailability,
} from '#wire/mesos/v1.ts';
import type { MaintenanceContent } from '#mesos/registry/registry.ts';
import type { AgentDesk } from './agents.ts';
import { agentUrl } from './agent-wire.ts';
import type { MasterState } from './state.ts';
import { FORBIDDEN, type Refusal } from '#mesos/libprocess/refusal.ts';
import type { AgentRecord, FrameworkRecord } from './types.ts';

export interface InverseOfferRecord {
  readonly id: string;
  readonly frameworkId: string;
  readonly agentId: string;
}

interface Answer {
  readonly status: InverseOfferStatus_Status;
  readonly at: number;
}

/** What frameworks said to inverse offers of one agent, and until when they are not asked again. */
interface Asked {
  readonly answers: Map<string, Answer>;
  readonly quietUntil: Map<string, number>;
}

function keyOf({ hostname = '', ip = '' }: MachineID): string {
  return `${hostname.toLowerCase()} ${ip}`;
}

/** As Mesos shows a machine in its errors. */
function shown(id: MachineID): string {
  const { hostname, ip } = id;
  return JSON.stringify({
    ...(hostname === undefined ? {} : { hostname }),
    ...(ip === undefined ? {} : { ip }),
  });
}

/** Only IPv4, as in Mesos 1.11. */
function isAddress(ip: string): boolean {
  const parts = ip.split('.');
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
}

function refused(message: string): Refusal {
  return { status: 400, message };
}

/** Each machine has a name or an address, and stands there once. */
function wrongMachines(ids: readonly MachineID[], seen: Set<string>): Refusal | undefined {
  for (const id of ids) {
    const { hostname = '', ip = '' } = id;
    if (hostname === '' && ip === '') {
      return refused("Both 'hostname' and 'ip' for a machine are empty");
    }
    if (ip !== '' && !isAddress(ip)) return refused(`Failed to parse IPv4: ${ip}`);
    if (seen.has(keyOf(id))) {
      return refused(`Machine '${shown(id)}' appears more than once in the schedule`);
    }
    seen.add(keyOf(id));
  }
  return undefined;
}

export class MaintenanceDesk {
  readonly #state: MasterState;
  readonly #agents: AgentDesk;
  #schedule: MaintenanceSchedule = {};
  /** Machines that are not up, by key. */
  #machines = new Map<string, MachineInfo>();
  readonly inverseOffers = new Map<string, InverseOfferRecord>();
  readonly #asked = new Map<string, Asked>();

  constructor(state: MasterState, agents: AgentDesk) {
    this.#state = state;
    this.#agents = agents;
  }

  recover({ schedule, machines }: MaintenanceContent): void {
    this.#schedule = schedule;
    this.#machines = new Map(machines.map((one) => [keyOf(one.id), one]));
  }

  // ---- what operators ask ----

  get schedule(): MaintenanceSchedule {
    return this.#schedule;
  }

  get machines(): readonly MachineInfo[] {
    return [...this.#machines.values()];
  }

  /** The machine of an agent, when it is scheduled or down. */
  machineOf(agent: AgentRecord): MachineInfo | undefined {
    return this.#machines.get(keyOf(machineIdOf(agent.info.hostname, agent.pid)));
  }

  unavailabilityOf(agent: AgentRecord): Unavailability | undefined {
    return this.#machines.size === 0 ? undefined : this.machineOf(agent)?.unavailability;
  }

  isDown(hostname: string, pid: string): boolean {
    return this.#machines.get(keyOf(machineIdOf(hostname, pid)))?.mode === 'DOWN';
  }

  status() {
    const draining = this.machines.filter(({ mode }) => mode === 'DRAINING');
    const down = this.machines.filter(({ mode }) => mode === 'DOWN').map(({ id }) => id);
    const status = {
      draining_machines: draining.map(({ id }) => {
        const statuses = this.#statusesOf(id);
        return { id, ...(statuses.length === 0 ? {} : { statuses }) };
      }),
      down_machines: down,
    };
    return {
      ...(draining.length === 0 ? {} : { draining_machines: status.draining_machines }),
      ...(down.length === 0 ? {} : { down_machines: status.down_machines }),
    };
  }

  #statusesOf(id: MachineID) {
    const mine = [...this.#state.agents.values()].filter(
      (agent) => keyOf(machineIdOf(agent.info.hostname, agent.pid)) === keyOf(id),
    );
    return mine.flatMap((agent) =>
      [...(this.#asked.get(agent.id)?.answers ?? [])].map(([value, { status, at }]) => ({
        status,
        framework_id: { value },
        timestamp: { nanoseconds: at * 1e6 },
      })),
    );
  }

  // ---- what operators change ----

  update(schedule: MaintenanceSchedule, isAllowed = true): Refusal | undefined {
    const seen = new Set<string>();
    for (const { machine_ids = [], unavailability } of schedule.windows ?? []) {
      if (machine_ids.length === 0) {
        return refused('List of machines in the maintenance window is empty');
      }
      if ((unavailability.duration?.nanoseconds ?? 0) < 0) {
        return refused("Unavailability 'duration' is negative");
      }
      const wrong = wrongMachines(machine_ids, seen);
      if (wrong !== undefined) return wrong;
    }
    for (const { id, mode } of this.#machines.values()) {
      if (mode === 'DOWN' && !seen.has(keyOf(id))) {
        const why = 'is deactivated and cannot be removed from the schedule';
        return refused(`Machine '${shown(id)}' ${why}`);
      }
    }
    if (!isAllowed) return FORBIDDEN;
    const machines = new Map<string, MachineInfo>();
    for (const { machine_ids = [], unavailability } of schedule.windows ?? []) {
      for (const id of machine_ids) {
        const mode = this.#machines.get(keyOf(id))?.mode ?? 'DRAINING';
        machines.set(keyOf(id), { id, mode, unavailability });
      }
    }
    this.#replace(schedule, machines, () => {
      for (const agent of this.#state.agents.values()) this.#forget(agent, machines);
    });
    return undefined;
  }

  /** draining -> down: the agents there are shut down, and what they ran is lost. */
  start(ids: readonly MachineID[], isAllowed = true): Refusal | undefined {
    const wrong = this.#wrongTurn(ids, 'DRAINING', 'down');
    if (wrong !== undefined) return wrong;
    if (!isAllowed) return FORBIDDEN;
    const machines = new Map(this.#machines);
    for (const id of ids) {
      const machine = machines.get(keyOf(id));
      if (machine !== undefined) machines.set(keyOf(id), { ...machine, mode: 'DOWN' });
    }
    this.#replace(this.#schedule, machines, (now) => {
      const why = "Operator initiated 'Machine DOWN'";
      for (const agent of this.#state.agents.values()) {
        if (!this.isDown(agent.info.hostname, agent.pid)) continue;
        const message = { name: 'ShutdownMessage' as const, body: { message: why } };
        this.#state.emit({ kind: 'send', to: agent.pid, message });
        this.withdraw(agent.id);
        this.#agents.remove(agent, why, now);
      }
    });
    return undefined;
  }

  /** down -> up: the machine leaves the schedule. */
  stop(ids: readonly MachineID[], isAllowed = true): Refusal | undefined {
    const wrong = this.#wrongTurn(ids, 'DOWN', 'up');
    if (wrong !== undefined) return wrong;
    if (!isAllowed) return FORBIDDEN;
    const gone = new Set(ids.map(keyOf));
    const machines = new Map([...this.#machines].filter(([key]) => !gone.has(key)));
    const windows = (this.#schedule.windows ?? [])
      .map(({ machine_ids = [], unavailability }) => ({
        machine_ids: machine_ids.filter((id) => !gone.has(keyOf(id))),
        unavailability,
      }))
      .filter(({ machine_ids }) => machine_ids.length > 0);
    this.#replace(windows.length === 0 ? {} : { windows }, machines, () => {});
    return undefined;
  }

  #wrongTurn(
    ids: readonly MachineID[],
    from: 'DRAINING' | 'DOWN',
    to: string,
  ): Refusal | undefined {
    if (ids.length === 0) return refused('List of machines is empty');
    const wrong = wrongMachines(ids, new Set());
    if (wrong !== undefined) return wrong;
    for (const id of ids) {
      const machine = this.#machines.get(keyOf(id));
      if (machine === undefined) {
        return refused(`Machine '${shown(id)}' is not part of a maintenance schedule`);
      }
      if (machine.mode !== from) {
        return refused(`Machine '${shown(id)}' is not in ${from} mode and cannot be brought ${to}`);
      }
    }
    return undefined;
  }

  #replace(
    schedule: MaintenanceSchedule,
    machines: Map<string, MachineInfo>,
    then: (now: number) => void,
  ): void {
    const content = { schedule, machines: [...machines.values()] };
    this.#state.persist({ kind: 'set-maintenance', content }, (now) => {
      const before = this.#machines;
      this.#schedule = schedule;
      this.#machines = machines;
      for (const agent of this.#state.agents.values()) this.#forget(agent, before);
      then(now);
      this.#state.isAskDue = true;
    });
  }

  /** What was offered with another availability is offered anew. */
  #forget(agent: AgentRecord, machines: ReadonlyMap<string, MachineInfo>): void {
    if (!machines.has(keyOf(machineIdOf(agent.info.hostname, agent.pid)))) return;
    this.#agents.rescindOffers(agent);
    this.withdraw(agent.id);
  }

  // ---- inverse offers ----

  /** Asks frameworks that hold something where maintenance is due, unless they have been asked. */
  ask(now: number): void {
    this.#state.isAskDue = false;
    if (this.#machines.size === 0) return;
    const outstanding = new Set<string>();
    for (const { agentId, frameworkId } of this.inverseOffers.values()) {
      outstanding.add(`${agentId} ${frameworkId}`);
    }
    const asked = new Map<FrameworkRecord, InverseOffer[]>();
    for (const agent of this.#state.agents.values()) {
      const unavailability = this.unavailabilityOf(agent);
      if (unavailability === undefined || !this.#state.isActive(agent)) continue;
      for (const framework of this.#holders(agent)) {
        if (!framework.isActive || outstanding.has(`${agent.id} ${framework.id}`)) continue;
        const quietUntil = this.#asked.get(agent.id)?.quietUntil.get(framework.id) ?? 0;
        if (quietUntil > now) continue;
        const offer = this.#inverseOffer(framework, agent, unavailability);
        asked.set(framework, [...(asked.get(framework) ?? []), offer]);
      }
    }
    for (const [framework, inverse_offers] of asked) {
      this.#state.tell(framework, { type: 'INVERSE_OFFERS', inverse_offers: { inverse_offers } });
      this.#state.onOffered(
        inverse_offers.map(({ id }) => id.value),
        now,
      );
    }
  }

  #holders(agent: AgentRecord): FrameworkRecord[] {
    const { frameworks } = this.#state;
    const offered = new Set(agent.offers.map(({ frameworkId }) => frameworkId));
    const users = new Set<string>();
    for (const { task, isReleased } of agent.tasks) {
      if (!isReleased) users.add(task.framework_id.value);
    }
    return [...frameworks.values()].filter((framework) => {
      if (offered.has(framework.id) || (agent.executors.get(framework.id)?.size ?? 0) > 0)
        return true;
      return users.has(framework.id);
    });
  }

  #inverseOffer(
    framework: FrameworkRecord,
    agent: AgentRecord,
    unavailability: Unavailability,
  ): InverseOffer {
    const id = `${this.#state.options.masterId}-O${this.#state.nextOffer++}`;
    this.inverseOffers.set(id, { id, frameworkId: framework.id, agentId: agent.id });
    this.#state.watcher.onFramework(framework);
    return inverseOfferToWire(id, framework.id, agent, unavailability);
  }

  answer(
    framework: FrameworkRecord,
    ids: readonly OfferID[],
    how: { status: 'ACCEPT' | 'DECLINE'; refuseMs: number; now: number },
  ): void {
    const { status, refuseMs, now } = how;
    for (const { value: id } of ids) {
      const offer = this.inverseOffers.get(id);
      if (offer === undefined || offer.frameworkId !== framework.id) continue;
      this.inverseOffers.delete(id);
      this.#state.watcher.onFramework(framework);
      const asked = this.#asked.get(offer.agentId) ?? {
        answers: new Map<string, Answer>(),
        quietUntil: new Map<string, number>(),
      };
      this.#asked.set(offer.agentId, asked);
      asked.answers.set(framework.id, { status, at: now });
      asked.quietUntil.set(framework.id, now + refuseMs);
      this.#state.isAskDue = true;
      if (refuseMs > 0) this.#state.emit({ kind: 'wake-at', at: now + refuseMs });
    }
  }

  /** When somebody may be asked again. */
  nextDeadline(): number {
    let at = Infinity;
    for (const { quietUntil } of this.#asked.values()) {
      for (const until of quietUntil.values()) at = Math.min(at, until);
    }
    return at;
  }

  onTick(now: number): void {
    for (const { quietUntil } of this.#asked.values()) {
      for (const [id, until] of quietUntil) {
        if (until > now) continue;
        quietUntil.delete(id);
        this.#state.isAskDue = true;
      }
    }
  }

  /** REVIVE and each new life end the quiet that a framework asked for. */
  forgetQuiet(frameworkId: string): void {
    for (const { quietUntil } of this.#asked.values()) {
      if (quietUntil.delete(frameworkId)) this.#state.isAskDue = true;
    }
  }

  /** The inverse offers of an agent that leaves, or whose maintenance has changed. */
  withdraw(agentId: string): void {
    this.#asked.delete(agentId);
    for (const offer of this.inverseOffers.values()) {
      if (offer.agentId === agentId) this.#takeBack(offer);
    }
  }

  #takeBack({ id, frameworkId }: InverseOfferRecord): void {
    this.inverseOffers.delete(id);
    const framework = this.#state.frameworks.get(frameworkId);
    if (framework === undefined) return;
    this.#state.watcher.onFramework(framework);
    const rescind_inverse_offer = { inverse_offer_id: { value: id } };
    this.#state.tell(framework, { type: 'RESCIND_INVERSE_OFFER', rescind_inverse_offer });
  }

  /** One that nobody has answered in time; somebody may be asked again at once. */
  rescind(id: string): void {
    const offer = this.inverseOffers.get(id);
    if (offer === undefined) return;
    this.#takeBack(offer);
    this.#state.isAskDue = true;
  }

  /** Those of a framework that is away. */
  drop(frameworkId: string): void {
    for (const { id, frameworkId: of } of this.inverseOffers.values()) {
      if (of !== frameworkId) continue;
      this.inverseOffers.delete(id);
      const framework = this.#state.frameworks.get(of);
      if (framework !== undefined) this.#state.watcher.onFramework(framework);
    }
  }
}

function machineIdOf(hostname: string, pid: string): MachineID {
  const address = pid.slice(pid.lastIndexOf('@') + 1);
  return { hostname, ip: address.slice(0, address.lastIndexOf(':')) };
}

export function inverseOfferToWire(
  id: string,
  frameworkId: string,
  agent: AgentRecord,
  unavailability: Unavailability,
): InverseOffer {
  return {
    id: { value: id },
    url: agentUrl(agent),
    framework_id: { value: frameworkId },
    agent_id: { value: agent.id },
    unavailability,
  };
}
