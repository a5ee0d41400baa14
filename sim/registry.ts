// What survives masters, in memory: the simulated side of `mesos/registry`.
import type { RecoveredRegistry, RegistryChange } from '#mesos/master/types.ts';
import type { AgentStanding } from '#mesos/registry/registry.ts';
import type { AgentInfo, QuotaConfig } from '#wire/mesos/v1.ts';

export class SimRegistry {
  readonly #agents = new Map<string, AgentInfo>();
  readonly #unreachable = new Map<string, number>();
  readonly #weights = new Map<string, number>();
  readonly #quotas = new Map<string, QuotaConfig>();
  readonly #standings = new Map<string, AgentStanding>();
  readonly #gone = new Map<string, number>();

  /** Told of what becomes durable. */
  onChange: (change: RegistryChange) => void = () => {};

  #leadership = 0;

  /** Takes it over: writes of the master that had it before are refused. */
  lead(): number {
    this.#leadership += 1;
    return this.#leadership;
  }

  /** What that master has asked for before and is on its way yet is refused from now on; unless another leads. */
  renew(leadership: number): number {
    return leadership === this.#leadership ? this.lead() : leadership;
  }

  /** False: another master leads. */
  write(change: RegistryChange, leadership: number): boolean {
    if (leadership !== this.#leadership) return false;
    this.apply(change);
    return true;
  }

  apply(change: RegistryChange): void {
    this.onChange(change);
    switch (change.kind) {
      case 'admit-agent':
      case 'mark-reachable': {
        const id = change.info.id?.value ?? '';
        this.#agents.set(id, change.info);
        this.#unreachable.delete(id);
        return;
      }
      case 'remove-agent':
        this.#agents.delete(change.agentId);
        this.#unreachable.delete(change.agentId);
        this.#standings.delete(change.agentId);
        return;
      case 'mark-unreachable':
        this.#agents.delete(change.agentId);
        this.#unreachable.set(change.agentId, change.at);
        return;
      case 'set-weight':
        this.#weights.set(change.role, change.weight);
        return;
      case 'set-quotas':
        for (const config of change.configs) this.#setQuota(config);
        return;
      case 'mark-gone':
        this.#agents.delete(change.agentId);
        this.#unreachable.delete(change.agentId);
        this.#standings.delete(change.agentId);
        this.#gone.set(change.agentId, change.at);
        return;
      case 'set-standing':
        if (change.standing.deactivated) this.#standings.set(change.agentId, change.standing);
        else this.#standings.delete(change.agentId);
        return;
      default:
    }
  }

  #setQuota(config: QuotaConfig): void {
    const amounts = { ...config.guarantees, ...config.limits };
    if (Object.keys(amounts).length === 0) this.#quotas.delete(config.role);
    else this.#quotas.set(config.role, config);
  }

  read(): RecoveredRegistry {
    return {
      agents: [...this.#agents.values()],
      unreachable: [...this.#unreachable].map(([agentId, at]) => ({ agentId, at })),
      weights: [...this.#weights].map(([role, weight]) => ({ role, weight })),
      quotas: [...this.#quotas.values()],
      gone: [...this.#gone].map(([agentId, at]) => ({ agentId, at })),
      standings: [...this.#standings].map(([agentId, standing]) => ({ agentId, standing })),
    };
  }
}
