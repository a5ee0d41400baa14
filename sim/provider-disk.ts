// The disk behind a simulated resource provider: its volumes, and what it has kept of itself for each id
// that its agent had. Outlives every process.
import type { ResourceState } from '#wire/mesos/v1.ts';
import type { Volume } from '#mesos/provider/core.ts';
import type { ProviderPlan } from './plan.ts';

export interface KeptProvider {
  readonly id: string;
  readonly state: ResourceState;
}

export class ProviderDisk {
  /** As it is configured from the next start on. */
  megabytes: number;
  /** The most that it was ever configured with. */
  megabytesMax: number;
  readonly volumes = new Map<string, Volume>();
  readonly #kept = new Map<string, KeptProvider>();

  constructor({ megabytes }: ProviderPlan) {
    this.megabytes = megabytes;
    this.megabytesMax = megabytes;
  }

  resize(megabytes: number): void {
    this.megabytes = megabytes;
    this.megabytesMax = Math.max(this.megabytesMax, megabytes);
  }

  /** As in production it lies in a folder of the agent's id. */
  keep(agentId: string, kept: KeptProvider): void {
    this.#kept.set(agentId, kept);
  }

  recover(agentId: string): KeptProvider | undefined {
    return this.#kept.get(agentId);
  }

  get usedMegabytes(): number {
    return [...this.volumes.values()].reduce((sum, { megabytes }) => sum + megabytes, 0);
  }
}
