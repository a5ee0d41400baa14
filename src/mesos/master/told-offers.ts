// Offers as frameworks are told of them: what all offers of an agent have in common is made once, as values for
// protobuf and as text for JSON; of each offer there is only its id, and what is put together.
import { keepJson, writtenBy } from '#codec/json-writer.ts';
import type { Resources } from '#mesos/resources/resources.ts';
import { stringify } from '#wire/mesos/codec.ts';
import type { Attribute, DomainInfo, Offer, Resource, Unavailability } from '#wire/mesos/v1.ts';
import { agentUrl } from './agent-wire.ts';
import type { OfferRecord } from './offer-book.ts';
import { hasCapability } from './roles.ts';
import type { AgentRecord, FrameworkRecord } from './types.ts';

/** What all offers of an agent have in common. */
export interface ToldAgent {
  readonly info: AgentRecord['info'];
  readonly pid: string;
  readonly agent_id: { readonly value: string };
  readonly url: Offer['url'];
  readonly domain: DomainInfo | undefined;
  readonly attributes: Attribute[] | undefined;
  /** Fields of an offer as JSON has them: before its resources, and behind them. */
  readonly before: string;
  readonly behind: string;
}

/** The fields alone. */
function textOf(fields: Partial<Offer>): string {
  return stringify('Offer', fields as Offer).slice(1, -1);
}

/** Of one piece: what is put together stays a tree of pieces. */
function flat(text: string): string {
  return Buffer.from(text).toString();
}

const texts = new WeakMap<object, string>();

/** With the comma before them; agents of one kind share theirs. */
function attributesText(attributes: Attribute[] | undefined): string {
  if (attributes === undefined) return '';
  let text = texts.get(attributes);
  if (text === undefined) {
    text = flat(`,${textOf({ attributes })}`);
    texts.set(attributes, text);
  }
  return text;
}

function resourcesText(resources: Resource[]): string {
  let text = texts.get(resources);
  if (text === undefined) {
    text = flat(textOf({ resources }));
    texts.set(resources, text);
  }
  return text;
}

/** Made when the agent comes, rather than when somebody waits for the first offer of it. */
export function toldAgent(agent: AgentRecord): ToldAgent {
  const { told } = agent;
  if (told !== undefined && told.info === agent.info && told.pid === agent.pid) return told;
  const { id, info, pid } = agent;
  const { hostname, domain, attributes } = info;
  const agent_id = { value: id };
  const url = agentUrl(agent);
  const before = textOf({ agent_id, hostname, url, ...(domain === undefined ? {} : { domain }) });
  return (agent.told = {
    info,
    pid,
    agent_id,
    url,
    domain,
    attributes,
    before: flat(before),
    behind: attributesText(attributes),
  });
}

interface Part {
  readonly offer: Offer;
  readonly agent: ToldAgent;
  readonly resources: Resource[];
  /** It has nothing but what is put together out of what is known. */
  readonly isPlain: boolean;
}

/** Of one event, to one framework. */
export class ToldOffers {
  readonly #framework: FrameworkRecord;
  readonly #framework_id: { readonly value: string };
  readonly #isMultiRole: boolean;
  readonly #isRefined: boolean;
  readonly #parts: Part[] = [];
  hasUnavailable = false;

  constructor(framework: FrameworkRecord) {
    this.#framework = framework;
    this.#framework_id = { value: framework.id };
    this.#isMultiRole = hasCapability(framework.info, 'MULTI_ROLE');
    this.#isRefined = hasCapability(framework.info, 'RESERVATION_REFINEMENT');
  }

  add(record: OfferRecord, of: AgentRecord, unavailability: Unavailability | undefined): void {
    const agent = toldAgent(of);
    const { agent_id, url, domain, attributes } = agent;
    const resources = this.#resources(record.resources);
    const offer: Offer = {
      id: { value: record.id },
      framework_id: this.#framework_id,
      agent_id,
      hostname: agent.info.hostname,
      url,
      resources,
    };
    if (domain !== undefined) offer.domain = domain;
    if (attributes !== undefined) offer.attributes = attributes;
    const executors = of.executors.get(this.#framework.id);
    const hasExecutors = executors !== undefined && executors.size > 0;
    if (hasExecutors) offer.executor_ids = [...executors.keys()].map((value) => ({ value }));
    if (unavailability !== undefined) {
      offer.unavailability = unavailability;
      this.hasUnavailable = true;
    }
    if (this.#isMultiRole) offer.allocation_info = { role: record.role };
    const isPlain = !hasExecutors && unavailability === undefined;
    this.#parts.push({ offer, agent, resources, isPlain });
  }

  /** All of them, as JSON when somebody writes them so. */
  offers(): Offer[] {
    const offers = this.#parts.map(({ offer }) => offer);
    return writtenBy(offers, () => this.#text());
  }

  #resources(bag: Resources): Resource[] {
    const shown = this.#isMultiRole ? bag : bag.allocatedTo(undefined);
    return keepJson(this.#isRefined ? shown.toWire() : shown.toPreRefinement());
  }

  #text(): string {
    const own = `"},${textOf({ framework_id: this.#framework_id })},`;
    let text = '';
    let lastRole: string | undefined;
    let end = '}';
    for (const { offer, agent, resources, isPlain } of this.#parts) {
      text += text === '' ? '[' : ',';
      if (!isPlain) {
        text += stringify('Offer', offer);
        continue;
      }
      const { allocation_info } = offer;
      if (allocation_info !== undefined && allocation_info.role !== lastRole) {
        lastRole = allocation_info.role;
        end = `,${textOf({ allocation_info })}}`;
      }
      // The master makes ids: there is nothing in them to be escaped.
      text += `{"id":{"value":"${offer.id.value}`;
      text += own;
      text += agent.before;
      text += ',';
      text += resourcesText(resources);
      text += agent.behind;
      text += end;
    }
    return text === '' ? '[]' : `${text}]`;
  }
}
