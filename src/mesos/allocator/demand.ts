// What a framework asked for with REQUEST: so much at once, on a certain agent or on any. Offers to it
// are cut to that, each wish served once; a framework that never asks gets whatever there is.
import { Resources } from '#mesos/resources/resources.ts';
import { resourcesText } from '#mesos/resources/text.ts';
import type { Resource } from '#wire/mesos/v1.ts';

export interface Wish {
  readonly agentId: string | undefined;
  /** Empty: all that there is. */
  readonly resources: readonly Resource[];
}

/** Equal wishes: often the same thing many times. */
interface Group {
  readonly resources: readonly Resource[];
  count: number;
}

export class Demand {
  readonly #anywhere: Group[] = [];
  readonly #byAgent = new Map<string, Group[]>();

  constructor(wishes: readonly Wish[]) {
    const known = new Map<string, Group>();
    for (const { agentId, resources } of wishes) {
      const key = `${agentId ?? ''}\n${resourcesText(Resources.of(resources))}`;
      let group = known.get(key);
      if (group === undefined) {
        group = { resources, count: 0 };
        known.set(key, group);
        if (agentId === undefined) this.#anywhere.push(group);
        else this.#byAgent.set(agentId, [...(this.#byAgent.get(agentId) ?? []), group]);
      }
      group.count++;
    }
  }

  get isServed(): boolean {
    return this.#anywhere.length === 0 && this.#byAgent.size === 0;
  }

  /** Of all its wishes; undefined when it would take something from any agent. */
  onlyAgents(): readonly string[] | undefined {
    return this.#anywhere.length > 0 ? undefined : [...this.#byAgent.keys()];
  }

  /** Number of wishes that are open. */
  get size(): number {
    let size = 0;
    for (const { count } of [this.#anywhere, ...this.#byAgent.values()].flat()) size += count;
    return size;
  }

  /** What of the usable resources serves wishes, without striking them off. */
  fitting(agentId: string, usable: Resources): Resources {
    return this.#serve(agentId, usable, false);
  }

  /** The same, and the wishes that it serves are struck off. */
  serve(agentId: string, usable: Resources): Resources {
    const granted = this.#serve(agentId, usable, true);
    drop(this.#anywhere);
    const here = this.#byAgent.get(agentId);
    if (here !== undefined) {
      drop(here);
      if (here.length === 0) this.#byAgent.delete(agentId);
    }
    return granted;
  }

  #serve(agentId: string, usable: Resources, isFinal: boolean): Resources {
    let left = usable;
    let granted = Resources.none;
    for (const groups of [this.#byAgent.get(agentId) ?? [], this.#anywhere]) {
      for (const group of groups) {
        let { count } = group;
        for (; count > 0; count--) {
          const isWhole = group.resources.length === 0;
          const part = isWhole ? left : left.take(group.resources);
          if (part === undefined || part.isEmpty) break;
          left = left.subtract(part);
          granted = granted.add(part);
        }
        if (isFinal) group.count = count;
      }
    }
    return granted;
  }
}

function drop(groups: Group[]): void {
  for (let i = groups.length - 1; i >= 0; i--) if (groups[i]?.count === 0) groups.splice(i, 1);
}
