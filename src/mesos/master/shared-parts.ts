// What many agents have in common, kept once: machines are of few kinds, and a cluster has very many of
// them. Everything here is immutable, as all that came off the wire is.
import { Resources } from '#mesos/resources/resources.ts';
import type { AgentInfo, Resource } from '#wire/mesos/v1.ts';

/** Kinds of machines in one cluster are few; whatever is more is kept with each agent. */
const PARTS_MAX = 4_096;

export class SharedParts {
  readonly #parts = new Map<string, object>();
  readonly #needs = new Map<string, Resource[]>();
  readonly #equal = new Map<string, Resources>();

  /** The first one that was equal to it, as JSON tells. */
  one<T extends object>(part: T): T {
    const key = JSON.stringify(part);
    const known = this.#parts.get(key);
    if (known !== undefined) return known as T;
    if (this.#parts.size < PARTS_MAX) this.#parts.set(key, part);
    return part;
  }

  /** The same information, its parts being those of others. */
  info(info: AgentInfo): AgentInfo {
    const shared = { ...info };
    if (shared.resources !== undefined) {
      shared.resources = this.one(shared.resources);
      Resources.keep(shared.resources, this.bag(Resources.of(shared.resources)));
    }
    if (shared.attributes !== undefined) shared.attributes = this.one(shared.attributes);
    if (shared.domain !== undefined) shared.domain = this.one(shared.domain);
    return shared;
  }

  /** What a task or an executor asks for: most of a framework's ask for the same. */
  needs(resources: readonly Resource[]): Resource[] {
    const key = needsKey(resources);
    const known = this.#needs.get(key);
    if (known !== undefined) return known;
    // Few of what is asked for by each one alone (its own ports) are asked for again.
    if (this.#needs.size >= PARTS_MAX) this.#needs.clear();
    const list = [...resources];
    Resources.keep(list);
    this.#needs.set(key, list);
    return list;
  }

  /** One bag for all agents that have the same: what is derived from it is then made once. */
  bag(bag: Resources): Resources {
    const key = JSON.stringify(bag.toWire());
    const known = this.#equal.get(key);
    if (known !== undefined) return known;
    if (this.#equal.size < PARTS_MAX) this.#equal.set(key, bag);
    return bag;
  }
}

/** Equal only for equal lists; plain amounts, as nearly all are, have a short one. */
function needsKey(resources: readonly Resource[]): string {
  let key = '=';
  for (const one of resources) {
    const part = plainKey(one);
    if (part === undefined) return JSON.stringify(resources);
    key += part;
  }
  return key;
}

/** Of so much of a name for a role, and nothing else; lengths tell where texts end. */
function plainKey(resource: Resource): string | undefined {
  const { name, type, scalar, allocation_info } = resource;
  const role = allocation_info?.role;
  if (type !== 'SCALAR' || scalar === undefined || role === undefined) return undefined;
  let fields = 0;
  for (const _field in resource) fields += 1;
  if (fields !== 4) return undefined;
  return `${name.length}:${name}${scalar.value};${role.length}:${role}`;
}
