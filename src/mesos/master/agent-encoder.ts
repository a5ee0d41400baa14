// The bytes of what agents are sent. A launch names its framework in full, and a framework launches many
// tasks: that part is encoded once.
import { encode } from '#wire/mesos/codec.ts';
import type { FrameworkInfo, Messages } from '#wire/mesos/v1.ts';
import type { ToAgent } from './types.ts';

export class AgentEncoder {
  /** Infos are replaced, never changed. */
  readonly #frameworks = new WeakMap<FrameworkInfo, Uint8Array>();

  encode({ name, body }: ToAgent): Uint8Array {
    if (name !== 'RunTaskMessage') return encode(name, body as never);
    const { framework, ...more } = body;
    let first = this.#frameworks.get(framework);
    if (first === undefined) {
      first = encode(name, { framework } as Messages['RunTaskMessage']);
      this.#frameworks.set(framework, first);
    }
    // Parts of a message one after the other are the message; this one has the lowest tag of those that are set.
    return Buffer.concat([first, encode(name, more as Messages['RunTaskMessage'])]);
  }
}
