// Offers on their way to frameworks. They are gathered over one whole run of the allocator, so that a
// framework gets many in one event, and made and sent in portions, so that nobody else waits long.
import type { Allocation } from '#mesos/allocator/allocator-core.ts';
import { keepJson } from '#codec/json-writer.ts';
import type { Attribute, DomainInfo, Offer, Unavailability } from '#wire/mesos/v1.ts';
import { agentUrl } from './agent-wire.ts';
import { hasCapability } from './roles.ts';
import type { MasterState } from './state.ts';
import type { AgentRecord, FrameworkRecord, OfferRecord } from './types.ts';

/** Agents offered in one portion, those looked at, and offers sent in one: two or three milliseconds. */
const AGENTS_MAX = 128;
const AGENTS_SEEN_MAX = 1_024;
const OFFERS_MAX = 256;
/** So many for one framework are told before the run is over; answered together, they are no long work. */
const EVENT_OFFERS_MAX = 256;
/** Offers gathered before they are told, however long the run still takes. */
const GATHERED_MAX = 4_096;
const ROLES_KEPT_MAX = 10_000;

/** What all offers of an agent have in common. */
interface AgentParts {
  readonly info: AgentRecord['info'];
  readonly pid: string;
  readonly agent_id: { readonly value: string };
  readonly hostname: string;
  readonly url: Offer['url'];
  readonly domain: DomainInfo | undefined;
  readonly attributes: Attribute[] | undefined;
}

function partsOf(agent: AgentRecord): AgentParts {
  const { id, info, pid } = agent;
  const { hostname, domain, attributes } = info;
  return {
    info,
    pid,
    agent_id: keepJson({ value: id }),
    hostname,
    url: keepJson(agentUrl(agent)),
    domain: domain === undefined ? undefined : keepJson({ ...domain }),
    attributes: attributes === undefined ? undefined : keepJson([...attributes]),
  };
}

export class OfferDesk {
  readonly #state: MasterState;
  readonly #unavailabilityOf: (agent: AgentRecord) => Unavailability | undefined;
  readonly #unsent = new Map<FrameworkRecord, OfferRecord[]>();
  #unsentCount = 0;
  /** Enough is gathered: telling comes first, until all is told. */
  #isTelling = false;
  readonly #parts = new WeakMap<AgentRecord, AgentParts>();
  readonly #roles = new Map<string, { readonly role: string }>();

  constructor(
    state: MasterState,
    unavailabilityOf: (agent: AgentRecord) => Unavailability | undefined,
  ) {
    this.#state = state;
    this.#unavailabilityOf = unavailabilityOf;
  }

  /** A run has begun and is not over yet; `allocate` goes on with it. */
  get isMidway(): boolean {
    return this.#unsentCount > 0 || this.#state.allocator.isMidway;
  }

  allocate(now: number): void {
    const { allocator } = this.#state;
    if (!this.#isTelling) {
      // Looking at agents that nobody wants is short work.
      for (let seen = 0, found = 0; found < AGENTS_MAX && seen < AGENTS_SEEN_MAX;) {
        const given = this.#state.timed(() => allocator.allocate(now, AGENTS_MAX));
        for (const one of given) this.#add(one);
        if (!allocator.isMidway) break;
        seen += AGENTS_MAX;
        found += given.length;
      }
      this.#isTelling = !allocator.isMidway || this.#unsentCount >= GATHERED_MAX;
    }
    let left = OFFERS_MAX;
    for (const [framework, offers] of this.#unsent) {
      if (left <= 0) return;
      if (!this.#isTelling && offers.length < EVENT_OFFERS_MAX) continue;
      left -= offers.length;
      this.#unsent.delete(framework);
      this.#unsentCount -= offers.length;
      this.#send(framework, offers, now);
    }
    if (this.#unsentCount === 0) this.#isTelling = false;
  }

  #add({ frameworkId, role, agentId, resources }: Allocation): void {
    const state = this.#state;
    const framework = state.frameworks.get(frameworkId);
    if (framework === undefined) return;
    const id = `${state.options.masterId}-O${state.nextOffer++}`;
    const agent = state.agents.get(agentId);
    const offer: OfferRecord = {
      id,
      frameworkId,
      agentId,
      framework,
      agent,
      role,
      resources,
      isSent: false,
    };
    state.holdings.addOffer(offer);
    const mine = this.#unsent.get(framework);
    if (mine === undefined) this.#unsent.set(framework, [offer]);
    else mine.push(offer);
    this.#unsentCount += 1;
  }

  /** Without those that were taken back meanwhile. */
  #send(framework: FrameworkRecord, offers: readonly OfferRecord[], now: number): void {
    const state = this.#state;
    const isMultiRole = hasCapability(framework.info, 'MULTI_ROLE');
    const isRefined = hasCapability(framework.info, 'RESERVATION_REFINEMENT');
    const framework_id = keepJson({ value: framework.id });
    const told: Offer[] = [];
    for (const offer of offers) {
      const { agent } = offer;
      if (agent === undefined || !state.offers.has(offer.id)) continue;
      offer.isSent = true;
      const { agent_id, hostname, url, domain, attributes } = this.#partsOf(agent);
      const resources = isMultiRole ? offer.resources : offer.resources.allocatedTo(undefined);
      const executors = agent.executors.get(framework.id);
      const one: Offer = {
        id: { value: offer.id },
        framework_id,
        agent_id,
        hostname,
        url,
        resources: keepJson(isRefined ? resources.toWire() : resources.toPreRefinement()),
      };
      if (domain !== undefined) one.domain = domain;
      if (attributes !== undefined) one.attributes = attributes;
      if (executors !== undefined && executors.size > 0) {
        one.executor_ids = [...executors.keys()].map((value) => ({ value }));
      }
      const unavailability = this.#unavailabilityOf(agent);
      if (unavailability !== undefined) one.unavailability = unavailability;
      if (isMultiRole) one.allocation_info = this.#allocationTo(offer.role);
      told.push(one);
    }
    // Whoever holds something of an agent that is to go is asked for it.
    if (told.some(({ unavailability }) => unavailability !== undefined)) state.isAskDue = true;
    if (told.length === 0) return;
    state.frameworkMetrics.count(framework.id, 'offers/sent', told.length);
    state.tell(framework, { type: 'OFFERS', offers: { offers: told } });
    state.onOffered(
      told.map(({ id }) => id.value),
      now,
    );
  }

  #partsOf(agent: AgentRecord): AgentParts {
    const known = this.#parts.get(agent);
    if (known !== undefined && known.info === agent.info && known.pid === agent.pid) return known;
    const parts = partsOf(agent);
    this.#parts.set(agent, parts);
    return parts;
  }

  #allocationTo(role: string): { readonly role: string } {
    const known = this.#roles.get(role);
    if (known !== undefined) return known;
    if (this.#roles.size >= ROLES_KEPT_MAX) this.#roles.clear();
    const made = keepJson({ role });
    this.#roles.set(role, made);
    return made;
  }
}
