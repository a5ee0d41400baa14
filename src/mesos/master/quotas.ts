// Quota of roles: checking what operators ask for, keeping it, taking back offers that stand in its
// way. The allocator enforces it (inventory 5.1; the words of Mesos 1.11).
import type { Quota } from '#mesos/allocator/allocator-core.ts';
import { isReserved, isWithin } from '#mesos/resources/kinds.ts';
import { validateRole } from '#mesos/resources/role-names.ts';
import { scalarResource } from '#mesos/resources/resources.ts';
import { quantitiesText } from '#mesos/resources/text.ts';
import { validateResourceShapes } from '#mesos/resources/validation.ts';
import type {
  QuotaConfig,
  QuotaInfo,
  QuotaRequest,
  QuotaStatus,
  Value_Scalar,
} from '#wire/mesos/v1.ts';
import type { MasterState } from './state.ts';
import { FORBIDDEN, type Refusal } from '#mesos/libprocess/refusal.ts';
import type { OfferRecord } from './offer-book.ts';

const EXABYTE_MEGABYTES = 1024 ** 4;
const OTHER_MAX = 1e12;

type Scalars = Readonly<Record<string, Value_Scalar>>;
type Milli = ReadonlyMap<string, number>;

export function milliOf(scalars: Scalars | undefined): Map<string, number> {
  const all = Object.entries(scalars ?? {});
  return new Map(all.map(([name, { value }]) => [name, Math.round(value * 1_000)]));
}

/** A quota in the allocator's terms; undefined when the configuration sets none. */
export function quotaOf(config: QuotaConfig): Quota | undefined {
  const guarantees = new Map([...milliOf(config.guarantees)].filter(([, milli]) => milli > 0));
  const limits = milliOf(config.limits);
  return guarantees.size === 0 && limits.size === 0 ? undefined : { guarantees, limits };
}

/** How C++ streams write a double: six significant digits. */
function valueText(value: number): string {
  return String(Number((Math.round(value * 1_000) / 1_000).toPrecision(15)));
}

function wrongNumber(value: number): string | undefined {
  if (Number.isNaN(value)) return 'NaN not supported';
  if (!Number.isFinite(value)) return 'Infinite values not supported';
  if (value !== 0 && Math.abs(value) < 2.2250738585072014e-308)
    return 'Subnormal values not supported';
  return value < 0 ? 'Negative values not supported' : undefined;
}

function tooLarge(scalars: Scalars | undefined): string | undefined {
  for (const [name, { value }] of Object.entries(scalars ?? {})) {
    const isBytes = name === 'mem' || name === 'disk';
    if (!(value > (isBytes ? EXABYTE_MEGABYTES : OTHER_MAX))) continue;
    const most = isBytes ? `1 exabyte (${EXABYTE_MEGABYTES})` : `1 trillion (${OTHER_MAX})`;
    return `{'${name}': ${valueText(value)}} is invalid: values greater than ${most} are not supported`;
  }
  return undefined;
}

function wrongValues(what: string, scalars: Scalars | undefined): string | undefined {
  for (const [name, { value }] of Object.entries(scalars ?? {})) {
    const wrong = wrongNumber(value);
    if (wrong !== undefined)
      return `Invalid ${what} configuration {'${name}': ${valueText(value)}}: ${wrong}`;
  }
  return undefined;
}

function mapText(scalars: Scalars | undefined): string {
  const all = Object.entries(scalars ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (all.length === 0) return '{}';
  return `{ ${all.map(([name, { value }]) => `${name}: ${valueText(value)}`).join(', ')} }`;
}

/** Every amount that is limited stays within its limit. */
function isWithinLimits(amounts: Milli, limits: Milli): boolean {
  for (const [name, most] of limits) if ((amounts.get(name) ?? 0) > most) return false;
  return true;
}

function contains(amounts: Milli, wanted: Milli): boolean {
  for (const [name, milli] of wanted) if ((amounts.get(name) ?? 0) < milli) return false;
  return true;
}

export function plus(a: Milli, b: Milli): Map<string, number> {
  const sum = new Map(a);
  for (const [name, milli] of b) sum.set(name, (sum.get(name) ?? 0) + milli);
  return sum;
}

export function validateQuotaConfig(config: QuotaConfig): string | undefined {
  const role = validateRole(config.role);
  if (role !== undefined) return `Invalid 'QuotaConfig.role': ${role}`;
  const { guarantees, limits } = config;
  const large = tooLarge(guarantees);
  if (large !== undefined) return `Invalid 'QuotaConfig.guarantees': ${large}`;
  const largeLimit = tooLarge(limits);
  if (largeLimit !== undefined) return `Invalid 'QuotaConfig.limits': ${largeLimit}`;
  const wrong = wrongValues('guarantee', guarantees) ?? wrongValues('limit', limits);
  if (wrong !== undefined) return wrong;
  if (isWithinLimits(milliOf(guarantees), milliOf(limits))) return undefined;
  return `'QuotaConfig.guarantees' ${mapText(guarantees)} is not contained within the 'QuotaConfig.limits' ${mapText(limits)}`;
}

export class QuotaDesk {
  readonly #state: MasterState;
  /** Also those set to nothing: they are shown until the next failover, as in Mesos. */
  readonly #configs = new Map<string, QuotaConfig>();

  constructor(state: MasterState, recovered: readonly QuotaConfig[]) {
    this.#state = state;
    for (const config of recovered) this.#keep(config);
  }

  has(role: string): boolean {
    return this.#configs.has(role);
  }

  configOf(role: string): QuotaConfig | undefined {
    return this.#configs.get(role);
  }

  status(): QuotaStatus {
    const configs = [...this.#configs.values()];
    const infos: QuotaInfo[] = configs.map(({ role, guarantees }) => {
      const all = Object.entries(guarantees ?? {});
      if (all.length === 0) return { role };
      return { role, guarantee: all.map(([name, { value }]) => scalarResource(name, value)) };
    });
    return configs.length === 0 ? {} : { infos, configs };
  }

  /** What UPDATE_QUOTA is refused for; it changes nothing. */
  refusedUpdate(configs: readonly QuotaConfig[], isForced: boolean): Refusal | undefined {
    const bad = (message: string): Refusal => ({ status: 400, message });
    for (const config of configs) {
      if (this.#state.isUnlistedRole(config.role)) {
        return bad(`Invalid QuotaConfig: '${config.role}' is not on the roles whitelist`);
      }
      const wrong = validateQuotaConfig(config);
      if (wrong !== undefined) return bad(`Invalid QuotaConfig: ${wrong}`);
    }
    for (const config of isForced ? [] : configs) {
      const consumed = this.consumed(config.role);
      const limits = milliOf(config.limits);
      if (isWithinLimits(consumed, limits)) continue;
      return bad(
        `Invalid QuotaConfig: Role '${config.role}' is already consuming '${quantitiesText(consumed)}'; this is more than the requested limits '${quantitiesText(limits)}' (use 'force' flag to bypass this check)`,
      );
    }
    const all = this.#with(configs);
    const tree = validateTree(all);
    if (tree !== undefined) return bad(`Invalid QuotaConfig: ${tree}`);
    const total = totalGuarantees(all);
    const capacity = this.#capacity();
    if (isForced || contains(capacity, total)) return undefined;
    return bad(
      `Invalid QuotaConfig: total quota guarantees '${quantitiesText(total)}' exceed cluster capacity '${quantitiesText(capacity)}' (use 'force' flag to bypass this check)`,
    );
  }

  /** SET_QUOTA and POST /quota: guarantees that are limits as well. */
  refusedRequest(
    request: QuotaRequest,
    mayUpdate: (role: string) => boolean,
  ): Refusal | QuotaConfig {
    const bad = (message: string): Refusal => ({ status: 400, message });
    const what = 'Failed to validate set quota request';
    const guarantee = request.guarantee ?? [];
    const shape = validateResourceShapes(guarantee);
    if (shape !== undefined) return bad(`${what}: QuotaInfo with invalid resource: ${shape}`);
    const wrong = validateInfo(request);
    if (wrong !== undefined) return bad(`${what}: ${wrong}`);
    const { role = '' } = request;
    if (this.#state.isUnlistedRole(role)) return bad(`${what}: Unknown role '${role}'`);
    if (this.#configs.has(role)) {
      return bad(`${what}: Cannot set quota for role '${role}' which already has quota`);
    }
    const amounts = Object.fromEntries(
      guarantee.map(({ name, scalar }) => [name, { value: scalar?.value ?? 0 }]),
    );
    const config = { role, guarantees: amounts, limits: amounts };
    const all = this.#with([config]);
    const tree = validateTree(all);
    if (tree !== undefined) return bad(`${what}: ${tree}`);
    if (!mayUpdate(role)) return FORBIDDEN;
    const total = totalGuarantees(all);
    const capacity = this.#capacity();
    if (request.force === true || contains(capacity, total)) return config;
    const message = `Quota guarantees overcommit the cluster (use 'force' to bypass this check): Total quota guarantees '${quantitiesText(total)}' exceed cluster capacity '${quantitiesText(capacity)}'`;
    return { status: 409, message };
  }

  /** REMOVE_QUOTA and DELETE /quota. `where` opens the message of the caller's endpoint. */
  refusedRemoval(role: string, where = 'Failed to remove quota'): Refusal | undefined {
    if (!this.#configs.has(role)) {
      return { status: 400, message: `${where}: Role '${role}' has no quota set` };
    }
    const tree = validateTree(this.#with([{ role }]));
    return tree === undefined ? undefined : { status: 400, message: `${where}: ${tree}` };
  }

  /** After it is durable. Offers that break limits or keep guarantees from being met are rescinded. */
  set(configs: readonly QuotaConfig[]): void {
    for (const config of configs) this.#keep(config);
    for (const config of configs) this.#makeRoom(config);
  }

  /** Removed: as if it had never been set. */
  remove(role: string): void {
    this.#configs.delete(role);
    this.#state.allocator.setQuota(role, undefined);
  }

  /** Thousandths of what counts against the role's quota, without what is only offered. */
  consumed(role: string): Map<string, number> {
    const consumed = new Map(this.#state.allocator.consumedQuota(role));
    for (const offer of this.#state.offers.values()) {
      if (!isWithin(offer.role, role)) continue;
      const isCounted = offer.resources.scalarsWhere(
        (kind) => !isReserved(kind) && kind.revocable === undefined,
      );
      for (const [name, milli] of isCounted) consumed.set(name, (consumed.get(name) ?? 0) - milli);
    }
    return new Map([...consumed].filter(([, milli]) => milli !== 0));
  }

  #keep(config: QuotaConfig): void {
    this.#configs.set(config.role, config);
    this.#state.allocator.setQuota(config.role, quotaOf(config));
  }

  #with(configs: readonly QuotaConfig[]): Map<string, Milli> {
    const all = new Map<string, Milli>();
    for (const config of [...this.#configs.values(), ...configs]) {
      all.set(config.role, milliOf(config.guarantees));
    }
    return all;
  }

  #capacity(): Milli {
    let sum: Milli = new Map();
    for (const { total } of this.#state.agents.values()) {
      sum = plus(
        sum,
        total.scalarsWhere((kind) => kind.revocable === undefined),
      );
    }
    return sum;
  }

  /** Best effort, as in Mesos: what is offered may be reserved and counted already. */
  #makeRoom(config: QuotaConfig): void {
    const { role } = config;
    const offers = [...this.#state.offers.values()];
    const mine = offers.filter((offer) => isWithin(offer.role, role));
    let held: Milli = this.consumed(role);
    for (const { resources } of mine) held = plus(held, resources.scalarQuantities());
    const limits = milliOf(config.limits);
    for (const offer of mine) {
      if (isWithinLimits(held, limits)) break;
      const part = [...offer.resources.scalarQuantities()].map(([name, n]) => [name, -n] as const);
      held = plus(held, new Map(part));
      this.#rescind(offer);
    }
    const guarantees = milliOf(config.guarantees);
    for (const offer of offers) {
      if (contains(held, guarantees)) break;
      if (isWithin(offer.role, role)) continue;
      held = plus(held, offer.resources.scalarQuantities());
      this.#rescind(offer);
    }
  }

  #rescind(offer: OfferRecord): void {
    this.#state.dropOffer(offer, { rescind: true });
    this.#state.allocator.recover(offer.frameworkId, offer.agentId, offer.resources);
  }
}

function validateInfo({ role = '', guarantee = [] }: QuotaRequest): string | undefined {
  const wrong = validateRole(role);
  if (wrong !== undefined) return `QuotaInfo with invalid role: ${wrong}`;
  if (guarantee.length === 0) return "QuotaInfo with empty 'guarantee'";
  const names = new Set<string>();
  for (const resource of guarantee) {
    if (isReserved(resource)) return 'QuotaInfo must not contain any ReservationInfo';
    if (resource.disk !== undefined) return 'QuotaInfo must not contain DiskInfo';
    if (resource.revocable !== undefined) return 'QuotaInfo must not contain RevocableInfo';
    if (resource.type !== 'SCALAR') return 'QuotaInfo must not include non-scalar resources';
    if (names.has(resource.name))
      return `QuotaInfo contains duplicate resource name '${resource.name}'`;
    names.add(resource.name);
  }
  return undefined;
}

/** A role guarantees at least what the roles right below it do together, once it guarantees at all. */
function validateTree(all: ReadonlyMap<string, Milli>): string | undefined {
  const below = new Map<string, Milli>();
  for (const [role, guarantees] of all) {
    const cut = role.lastIndexOf('/');
    if (cut < 0) continue;
    const parent = role.slice(0, cut);
    below.set(parent, plus(below.get(parent) ?? new Map(), guarantees));
  }
  for (const [parent, children] of below) {
    const own: Milli = all.get(parent) ?? new Map();
    if (contains(own, children)) continue;
    return `Invalid quota configuration. Parent role '${parent}' with guarantees (${quantitiesText(own)}) does not contain the sum of its children's guarantees (${quantitiesText(children)})`;
  }
  return undefined;
}

function totalGuarantees(all: ReadonlyMap<string, Milli>): Milli {
  let sum: Milli = new Map();
  for (const [role, guarantees] of all) if (!role.includes('/')) sum = plus(sum, guarantees);
  return sum;
}
