// Refusals against a list of all that were ever made: who refuses what on which agent, and whose filters end when.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResources } from '#mesos/resources/parse.ts';
import { Resources } from '#mesos/resources/resources.ts';
import { AgentFilters, OfferFilters } from './offer-filters.ts';
import { lot } from './role-order.ts';

interface Client {
  readonly index: number;
  epoch: number;
  filterCount: number;
}

interface Agent {
  index: number;
  filters: AgentFilters;
}

interface Refusal {
  readonly client: Client;
  readonly agent: Agent;
  readonly refused: Resources;
  readonly until: number;
}

const bags = ['cpus:1', 'cpus:1;mem:64', 'cpus:4;mem:64', 'mem:128'].map((text) =>
  Resources.of(parseResources(text)),
);
const CLIENTS = 70;
const AGENTS = 9;

class World {
  readonly random: () => number;
  readonly filters = new OfferFilters<Agent, Client>();
  readonly clients: Client[];
  readonly agents: Agent[];
  refusals: Refusal[] = [];
  now = 1_000;

  constructor(seed: number) {
    this.random = lot(seed);
    const epoch = (): number => this.filters.nextEpoch();
    this.clients = Array.from({ length: CLIENTS }, (_, index) => ({
      index,
      epoch: epoch(),
      filterCount: 0,
    }));
    this.agents = Array.from({ length: AGENTS }, (_, index) => ({
      index,
      filters: new AgentFilters(),
    }));
  }

  one<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)] as T;
  }

  refuse(): void {
    const [client, agent, refused] = [
      this.one(this.clients),
      this.one(this.agents),
      this.one(bags),
    ];
    const until = this.now + 1 + Math.floor(this.random() * 60);
    this.filters.add(client, agent, refused, until);
    this.refusals.push({ client, agent, refused, until });
  }

  /** The latest end of those that cover it, at which it is offered at last. */
  isRefused(client: Client, agent: Agent, offer: Resources): boolean {
    return this.refusals.some(
      (one) => one.client === client && one.agent === agent && one.refused.contains(offer),
    );
  }

  pass(): void {
    this.now += Math.floor(this.random() * 12);
    const ended = new Set<string>();
    const name = (client: Client, agent: Agent): string => `${client.index} on ${agent.index}`;
    this.filters.expire(this.now, (agent, client) => ended.add(name(client, agent)));
    const gone = this.refusals.filter(({ until }) => until <= this.now);
    this.refusals = this.refusals.filter(({ until }) => until > this.now);
    const were = new Set(gone.map(({ client, agent }) => name(client, agent)));
    for (const one of ended) assert.ok(were.has(one), `${one} had not ended`);
    // What another refusal stands for need not be told.
    for (const { client, agent, refused } of gone) {
      if (this.isRefused(client, agent, refused)) continue;
      assert.ok(ended.has(name(client, agent)), `${name(client, agent)} ended and was not told`);
    }
  }

  leave(): void {
    if (this.random() < 0.5) {
      const client = this.one(this.clients);
      this.filters.clear(client);
      this.refusals = this.refusals.filter((one) => one.client !== client);
      return;
    }
    const agent = this.one(this.agents);
    this.filters.clearAgent(agent, (index) => this.clients[index]);
    this.refusals = this.refusals.filter((one) => one.agent !== agent);
    // Another one may have its number from then on.
    this.agents[agent.index] = { index: agent.index, filters: new AgentFilters() };
  }

  check(): void {
    for (const agent of this.agents) {
      const client = this.one(this.clients);
      for (const offer of bags) {
        const isRefused = this.isRefused(client, agent, offer);
        if (this.filters.refuses(client, agent, offer)) assert.ok(isRefused, 'refuses');
        const until = this.filters.refusedUntil(client, agent, offer);
        assert.equal(until !== undefined, isRefused, `${client.index} on ${agent.index}`);
        // Known from now on, until another bag is asked about.
        assert.equal(this.filters.refuses(client, agent, offer), isRefused);
      }
    }
  }
}

for (let seed = 1; seed <= 4; seed++) {
  test(`as a list of all refusals, seed ${seed}`, () => {
    const world = new World(seed);
    for (let step = 0; step < 6_000; step++) {
      const chance = world.random();
      if (chance < 0.7) world.refuse();
      else if (chance < 0.97) world.pass();
      else world.leave();
      world.check();
    }
  });
}
