// The frameworks as the allocator sees them: one client for each framework in each role, with a dense
// number, and which of them have to be asked again.
import { assert } from '#base/assert.ts';
import type { Agent, Framework, FrameworkClient, FrameworkSettings } from './decisions.ts';
import { Demand, type Wish } from './demand.ts';
import type { Minimums } from './minimums.ts';
import type { OfferFilters } from './offer-filters.ts';
import type { RoleTree } from './role-tree.ts';

export class ClientPool {
  readonly frameworks = new Map<string, Framework>();
  /** Frameworks of each role, active or not. */
  readonly byRole = new Map<string, Set<Framework>>();
  /** By dense number. */
  readonly all: (FrameworkClient | undefined)[] = [];
  /** Something changed for them alone: agents that others left are worth another look. */
  readonly eager = new Set<FrameworkClient>();
  /** Grows whenever there is another reason to ask one of them. */
  news = 0;
  /** Denied something because guarantees of others need it. */
  readonly heldByHeadroom = new Set<FrameworkClient>();
  /** Clients with minimums of their own. */
  ownMinimums = 0;
  readonly #tree: RoleTree;
  readonly #filters: OfferFilters<Agent, FrameworkClient>;
  readonly #freeIndexes: number[] = [];
  /** Called when little things are worth an offer from now on. */
  readonly #onOwnMinimums: () => void;

  constructor(
    tree: RoleTree,
    filters: OfferFilters<Agent, FrameworkClient>,
    onOwnMinimums: () => void,
  ) {
    this.#tree = tree;
    this.#filters = filters;
    this.#onOwnMinimums = onOwnMinimums;
  }

  add(id: string, settings: FrameworkSettings): void {
    const framework: Framework = {
      id,
      settings,
      isActive: true,
      suppressed: new Set(settings.suppressedRoles),
      clients: new Map(),
      demand: undefined,
    };
    this.frameworks.set(id, framework);
    for (const role of settings.roles) this.#addClient(framework, role);
    this.#settle(framework);
  }

  update(id: string, settings: FrameworkSettings): void {
    const framework = this.known(id);
    for (const role of framework.settings.roles) {
      if (!settings.roles.includes(role)) this.#retireClient(framework, role);
    }
    framework.settings = settings;
    for (const role of settings.roles) this.#addClient(framework, role);
    for (const role of framework.suppressed) {
      const client = framework.clients.get(role);
      if (client !== undefined && !settings.suppressedRoles.includes(role))
        this.#filters.clear(client);
    }
    framework.suppressed.clear();
    for (const role of settings.suppressedRoles) framework.suppressed.add(role);
    this.#settle(framework);
  }

  remove(id: string): void {
    const framework = this.frameworks.get(id);
    if (framework === undefined) return;
    for (const [role, client] of framework.clients) {
      this.#retireClient(framework, role);
      if (framework.clients.has(role)) this.#forgetClient(client);
    }
    framework.clients.clear();
    this.frameworks.delete(id);
  }

  setActive(id: string, isActive: boolean): void {
    const framework = this.known(id);
    framework.isActive = isActive;
    if (!isActive) {
      framework.demand = undefined;
      for (const client of framework.clients.values()) this.#filters.clear(client);
    }
    this.#settle(framework);
  }

  /** Roles empty: all of them. Lifts suppression and filters. */
  revive(id: string, roles: readonly string[]): void {
    const framework = this.known(id);
    for (const role of roles.length === 0 ? framework.settings.roles : roles) {
      framework.suppressed.delete(role);
      const client = framework.clients.get(role);
      if (client !== undefined) this.#filters.clear(client);
    }
    this.#settle(framework);
  }

  suppress(id: string, roles: readonly string[]): void {
    const framework = this.known(id);
    for (const role of roles.length === 0 ? framework.settings.roles : roles) {
      framework.suppressed.add(role);
    }
    this.#settle(framework);
  }

  /**
   * REQUEST: from now on offers are cut to these wishes, each served once; empty: stock behaviour.
   * What was refused stays refused, as always but for REVIVE.
   */
  setWishes(id: string, wishes: readonly Wish[]): void {
    const framework = this.known(id);
    framework.demand = wishes.length === 0 ? undefined : new Demand(wishes);
    this.#settle(framework);
  }

  known(id: string): Framework {
    const framework = this.frameworks.get(id);
    assert(framework !== undefined, `Framework ${id} is not known to the allocator`);
    return framework;
  }

  /** What frameworks say of the agent's attributes is asked anew. */
  forgetVerdicts({ index }: Agent): void {
    for (const client of this.all) {
      if (client !== undefined && index < client.verdicts.length) client.verdicts[index] = 0;
    }
  }

  #addClient(framework: Framework, role: string): void {
    const known = this.byRole.get(role) ?? new Set();
    known.add(framework);
    this.byRole.set(role, known);
    const { settings } = framework;
    let client = framework.clients.get(role);
    if (client === undefined) {
      const index = this.#freeIndexes.pop() ?? this.all.length;
      client = Object.assign(this.#tree.makeClient(role, framework.id), {
        framework,
        index,
        epoch: this.#filters.nextEpoch(),
        filterCount: 0,
        isNestedRole: role.includes('/'),
        condition: undefined,
        verdicts: new Uint8Array(),
        minimums: undefined,
        isActive: false,
        isEager: false,
        isHeldByHeadroom: false,
        mark: 0,
      });
      this.all[index] = client;
      framework.clients.set(role, client);
    }
    client.condition = settings.conditions?.get(role);
    client.verdicts = new Uint8Array();
    this.#setMinimums(client, settings.minimums?.get(role));
  }

  #setMinimums(client: FrameworkClient, minimums: Minimums | undefined): void {
    const before = this.ownMinimums;
    if (client.minimums !== undefined) this.ownMinimums--;
    client.minimums = minimums;
    if (minimums !== undefined) this.ownMinimums++;
    if (before !== 0 || this.ownMinimums === 0) return;
    this.#onOwnMinimums();
  }

  /** The framework left the role; what it still holds there stays charged to it. */
  #retireClient(framework: Framework, role: string): void {
    const known = this.byRole.get(role);
    known?.delete(framework);
    if (known?.size === 0) this.byRole.delete(role);
    const client = framework.clients.get(role);
    if (client === undefined) return;
    this.#filters.clear(client);
    this.#setMinimums(client, undefined);
    this.#setClientActive(client, false);
    this.dropRetired(client);
  }

  dropRetired(client: FrameworkClient): void {
    const { framework, role } = client;
    if (this.byRole.get(role)?.has(framework) === true) return;
    if (!this.#tree.holdsNothing(client)) return;
    framework.clients.delete(role);
    this.#forgetClient(client);
  }

  #forgetClient(client: FrameworkClient): void {
    this.all[client.index] = undefined;
    this.#freeIndexes.push(client.index);
    this.heldByHeadroom.delete(client);
    this.#tree.dropClient(client);
  }

  /** Puts each role's client into the order or takes it out, as the framework's state says. */
  #settle(framework: Framework): void {
    for (const role of framework.settings.roles) {
      const client = framework.clients.get(role);
      if (client === undefined) continue;
      this.#setClientActive(client, framework.isActive && !framework.suppressed.has(role));
    }
  }

  #setClientActive(client: FrameworkClient, isActive: boolean): void {
    if (isActive !== client.isActive) {
      client.isActive = isActive;
      if (isActive) this.#tree.activate(client);
      else this.#tree.deactivate(client);
    }
    if (isActive) this.beEager(client);
    else {
      client.isEager = false;
      this.eager.delete(client);
    }
  }

  beEager(client: FrameworkClient): void {
    client.isEager = true;
    this.eager.add(client);
    this.news += 1;
  }
}
