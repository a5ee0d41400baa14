// An agent's end of its resource providers' connections. The simulated side of `mesos/agent/provider-api.ts`.
import type { AgentInput } from '#mesos/agent/types.ts';
import type { AgentCore } from '#mesos/agent/core.ts';
import type {
  ResourceProviderCall,
  ResourceProviderEvent,
  ResourceProviderInfo,
} from '#wire/mesos/v1.ts';
import { Channel, type Life, type Network } from './network.ts';
import type { ProviderStream } from './provider-process.ts';

export interface AgentProvidersWiring {
  readonly network: Network;
  readonly life: Life;
  readonly core: AgentCore;
  readonly onInput: (input: AgentInput) => void;
  readonly nextConnection: () => number;
}

export class AgentProviders {
  readonly #wiring: AgentProvidersWiring;
  readonly #streams = new Map<number, { channel: Channel; stream: ProviderStream }>();

  constructor(wiring: AgentProvidersWiring) {
    this.#wiring = wiring;
  }

  subscribe(stream: ProviderStream, info: ResourceProviderInfo): void {
    const { network, life, core, onInput, nextConnection } = this.#wiring;
    const connection = nextConnection();
    stream.connection = connection;
    const channel: Channel = new Channel(network, {
      from: life,
      to: stream.provider.life,
      onBroken: () => this.#ended(connection),
      onClosed: () => {
        this.#ended(connection);
        stream.provider.onEnd(stream);
      },
    });
    // Its id is part of what providers are remembered under: 503 without it.
    if (core.agentId === undefined) {
      channel.finish();
      return;
    }
    this.#streams.set(connection, { channel, stream });
    onInput({ kind: 'provider-subscribed', connection, info });
  }

  /** Of another stream than the one that is open it is refused. */
  call(stream: ProviderStream, call: ResourceProviderCall): void {
    const { core, onInput } = this.#wiring;
    const id = call.resource_provider_id?.value ?? '';
    const known = core.providers.subscribed.get(id);
    if (known === undefined || known.connection !== stream.connection) return;
    onInput({ kind: 'provider-call', id, call });
  }

  send(connection: number, event: ResourceProviderEvent): void {
    const known = this.#streams.get(connection);
    known?.channel.send(() => known.stream.provider.onEvent(known.stream, event));
  }

  close(connection: number): void {
    this.#streams.get(connection)?.channel.finish();
    this.#ended(connection);
  }

  #ended(connection: number): void {
    if (!this.#streams.delete(connection)) return;
    this.#wiring.onInput({ kind: 'provider-disconnected', connection });
  }
}
