// A master's core that is driven without sockets: agents that register by the bytes of their messages, writes durable
// at once, and a clock that whoever measures moves on. For the micro benchmarks of what a master does by itself.
import { aFramework, testOptions } from '#mesos/master/core-fixture.ts';
import { MasterCore } from '#mesos/master/core.ts';
import type { FromAgent, MasterEffect } from '#mesos/master/types.ts';
import { AGENT_CAPABILITIES } from '#mesos/resources/agent-capabilities.ts';
import { parseResources } from '#mesos/resources/parse.ts';
import { decode, encode, parseJson, stringify } from '#wire/mesos/codec.ts';
import type { AgentInfo, SchedulerEvent } from '#wire/mesos/v1.ts';

type Sent = Extract<MasterEffect, { kind: 'send' }>;

export interface DriveOptions {
  readonly onEvent: (event: SchedulerEvent, connection: number) => void;
  readonly onSend?: (sent: Sent) => void;
}

export class MasterDrive {
  readonly core = new MasterCore(
    testOptions,
    { agents: [], unreachable: [], weights: [] },
    1_000_000,
  );
  now = 1_000_000;
  readonly #options: DriveOptions;
  #isAllocating = false;
  #wakeAt = Infinity;

  constructor(options: DriveOptions) {
    this.#options = options;
  }

  /** What is told or sent is written as it would be for a socket. */
  perform(effects: readonly MasterEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'event') {
        stringify('SchedulerEvent', effect.event);
        this.#options.onEvent(effect.event, effect.connection);
      } else if (effect.kind === 'send') {
        encode(effect.message.name, effect.message.body as never);
        this.#options.onSend?.(effect);
      } else if (effect.kind === 'persist') {
        this.perform(this.core.confirm(effect.token, this.now));
      } else if (effect.kind === 'allocate-soon') this.#isAllocating = true;
      else if (effect.kind === 'wake-at') this.#wakeAt = Math.min(this.#wakeAt, effect.at);
    }
  }

  from(pid: string, name: FromAgent['name'], body: object): void {
    const message = { name, body: decode(name, encode(name, body as never)) } as FromAgent;
    this.perform(this.core.onAgentMessage(pid, message, this.now, 1));
  }

  /** The agent of the number, with so many processors and memory to match. */
  register(i: number, cpus: number, more: Partial<AgentInfo> = {}): void {
    const text = `cpus:${cpus};mem:${cpus * 4_096};disk:100000;ports:[31000-32000]`;
    this.from(`slave(1)@10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:5051`, 'RegisterSlaveMessage', {
      slave: { hostname: `node-${i}`, resources: parseResources(text), ...more },
      version: '1.11.0',
      agent_capabilities: AGENT_CAPABILITIES.map((type) => ({ type })),
      resource_version_uuid: { value: new Uint8Array(16).fill(7) },
    });
  }

  subscribe(connection: number, info: Parameters<typeof aFramework>[0] = {}): void {
    const subscribe = { framework_info: aFramework(info) };
    this.perform(this.core.subscribe(connection, { type: 'SUBSCRIBE', subscribe }, this.now));
  }

  /** JSON of a call; what comes of it is to be performed. */
  call(frameworkId: string, text: string): readonly MasterEffect[] {
    const outcome = this.core.call(frameworkId, parseJson('SchedulerCall', text), this.now);
    if ('status' in outcome) throw new Error(outcome.message);
    return outcome;
  }

  get isTickDue(): boolean {
    return this.now >= this.#wakeAt;
  }

  tick(): void {
    if (!this.isTickDue) return;
    this.#wakeAt = Infinity;
    this.perform(this.core.onTick(this.now));
  }

  allocate(): void {
    while (this.#isAllocating) {
      this.#isAllocating = false;
      this.perform(this.core.allocate(this.now));
    }
  }
}
