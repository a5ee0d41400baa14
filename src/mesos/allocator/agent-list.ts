// Agents in the order in which they came into the list, each once. Who is in it and where is told by the agents'
// dense numbers, in one piece of memory: lists of many thousands are asked and changed for every offer.
import type { Agent } from './decisions.ts';

const PLACES_MIN = 64;

export class AgentList {
  /** Those that left leave a hole. */
  #items: (Agent | undefined)[] = [];
  /** By number of the agent: its place in `#items` and one; 0 for those that are not there. */
  #places = new Int32Array(PLACES_MIN);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(agent: Agent): boolean {
    const { index } = agent;
    if (index >= this.#places.length) return false;
    const place = this.#places[index] as number;
    // Its number may be another one's by now.
    return place !== 0 && this.#items[place - 1] === agent;
  }

  /** At the end, or where it is already. */
  add(agent: Agent): void {
    const { index } = agent;
    if (index >= this.#places.length) this.#grow(index);
    if (this.#places[index] !== 0) return;
    this.#places[index] = this.#items.push(agent);
    this.#size += 1;
  }

  delete(agent: Agent): void {
    if (!this.has(agent)) return;
    this.#items[(this.#places[agent.index] as number) - 1] = undefined;
    this.#places[agent.index] = 0;
    this.#size -= 1;
    if (this.#items.length > 2 * this.#size + PLACES_MIN) this.#closeHoles();
  }

  /** All of them; later changes do not show. */
  all(): Agent[] {
    return this.#items.filter((agent) => agent !== undefined);
  }

  /** All of them, and the list is empty. */
  takeAll(): Agent[] {
    const all = this.all();
    for (const { index } of all) this.#places[index] = 0;
    this.#items = [];
    this.#size = 0;
    return all;
  }

  #closeHoles(): void {
    const items = this.#items;
    let end = 0;
    for (const agent of items) {
      if (agent === undefined) continue;
      items[end++] = agent;
      this.#places[agent.index] = end;
    }
    items.length = end;
  }

  #grow(index: number): void {
    const grown = new Int32Array(Math.max(index + 1, 2 * this.#places.length));
    grown.set(this.#places);
    this.#places = grown;
  }
}
