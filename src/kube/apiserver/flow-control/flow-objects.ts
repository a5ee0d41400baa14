// The stored objects of priority and fairness: those that every cluster has are made and kept, and flow
// schemas say whether the level that they name exists (registry/flowcontrol of kube-apiserver v1.37).
import type { Env, Timer } from '#env/env.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { same } from '#base/same.ts';
import { ApiError } from '#kube/meta/status.ts';
import type { TypeRegistry } from '#kube/types/registry.ts';
import type { Resources, WriteContext } from '#kube/apiserver/resources.ts';
import { timestamp } from '#kube/apiserver/strategies.ts';
import { systemWrite } from '#kube/apiserver/system-write.ts';
import bootstrap from './bootstrap.json' with { type: 'json' };

const group = 'flowcontrol.apiserver.k8s.io';
export const LEVELS = { group, resource: 'prioritylevelconfigurations' };
export const SCHEMAS = { group, resource: 'flowschemas' };

const PRODUCER = 'api-priority-and-fairness-config-producer-v1';
const CONSUMER = 'api-priority-and-fairness-config-consumer-v1';
const AUTOUPDATE = 'apf.kubernetes.io/autoupdate-spec';
/** Of one schema: several servers might not agree. */
const REPORTS_PER_MINUTE_MAX = 6;
const MINUTE_MS = 60_000;
/** Between two reports at the start, when there is one of each schema and others have more to do. */
const REPORT_PAUSE_MS = 25;

const mandatory: ReadonlySet<string> = new Set(['exempt', 'catch-all']);

const wanted: readonly KubeObject[] = bootstrap.map(({ kind, name, spec }) => ({
  apiVersion: `${group}/v1`,
  kind,
  metadata: { name, annotations: { [AUTOUPDATE]: 'true' } },
  spec,
}));

const isLevel = ({ kind }: KubeObject): boolean => kind === 'PriorityLevelConfiguration';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

function ignoreRace(error: unknown): void {
  const reasons = ['AlreadyExists', 'NotFound', 'Conflict'];
  if (!(error instanceof ApiError) || !reasons.includes(error.reason)) throw error;
}

export class FlowObjects {
  readonly #resources: Resources;
  readonly #registry: TypeRegistry;
  readonly #env: Env;
  readonly #levels = new Map<string, KubeObject>();
  readonly #schemas = new Map<string, KubeObject>();
  readonly #reports = new Map<string, number[]>();
  /** By name of the schema: what is to be said of it next. */
  readonly #due = new Map<string, () => Promise<void>>();
  #timer: Timer | undefined;
  #isClosed = false;
  #working: Promise<void> = Promise.resolve();
  #isStarted = false;
  #isStarting = true;

  constructor({ resources, registry }: { resources: Resources; registry: TypeRegistry }, env: Env) {
    this.#resources = resources;
    this.#registry = registry;
    this.#env = env;
  }

  take(of: { resource: string }, object: KubeObject): void {
    this.#kept(of).set(object.metadata.name ?? '', object);
  }

  drop(of: { resource: string }, name: string): void {
    this.#kept(of).delete(name);
  }

  #kept(of: { resource: string }): Map<string, KubeObject> {
    return of.resource === LEVELS.resource ? this.#levels : this.#schemas;
  }

  /** Those that nothing goes without are there even when they are not stored. */
  #withMandatory(stored: ReadonlyMap<string, KubeObject>, areLevels: boolean): KubeObject[] {
    const missing = wanted.filter(
      (one) =>
        isLevel(one) === areLevels &&
        mandatory.has(one.metadata.name ?? '') &&
        !stored.has(one.metadata.name ?? ''),
    );
    return [...stored.values(), ...missing];
  }

  levels(): readonly KubeObject[] {
    return this.#withMandatory(this.#levels, true);
  }

  schemas(): readonly KubeObject[] {
    return this.#withMandatory(this.#schemas, false);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  async ensureAll(): Promise<void> {
    this.#isStarted = true;
    await Promise.all(wanted.map((one) => this.#ensure(one)));
    const names = new Set(wanted.map((one) => `${one.kind}/${one.metadata.name}`));
    const spurious = [...this.#levels.values(), ...this.#schemas.values()].filter(
      (one) =>
        one.metadata.annotations?.[AUTOUPDATE] === 'true' &&
        !names.has(`${one.kind}/${one.metadata.name}`),
    );
    await Promise.all(
      spurious.map((one) =>
        this.#resources
          .delete(this.#context(one), one.metadata.name ?? '', {})
          .then(() => {}, ignoreRace),
      ),
    );
    this.#reportSlowly();
  }

  async ensureMandatory(): Promise<void> {
    if (!this.#isStarted) return;
    const all = wanted.filter(({ metadata }) => mandatory.has(metadata.name ?? ''));
    this.#do(async () => {
      await Promise.all(all.map((one) => this.#ensure(one)));
    });
    await this.#working;
  }

  #context(object: KubeObject, subresource?: string): WriteContext {
    const info = this.#registry.byKind(group, 'v1', object.kind) as ResourceInfo;
    const fieldManager = subresource === undefined ? PRODUCER : CONSUMER;
    return { ...systemWrite(info, { subresource }), fieldManager };
  }

  /** Made when missing; brought up to date unless somebody has taken it over. */
  async #ensure(one: KubeObject): Promise<void> {
    const { name = '' } = one.metadata;
    const live = (isLevel(one) ? this.#levels : this.#schemas).get(name);
    if (live === undefined) {
      await this.#resources.create(this.#context(one), structuredClone(one)).catch(ignoreRace);
      return;
    }
    const isKept = mandatory.has(name) || live.metadata.annotations?.[AUTOUPDATE] === 'true';
    if (!isKept || same(live['spec'], one['spec'])) return;
    const change = (found: KubeObject): KubeObject => ({ ...found, spec: one['spec'] });
    await this.#resources.modify(this.#context(one), name, change).catch(ignoreRace);
  }

  /** Says in the status of a schema whether its level exists. */
  report(schema: KubeObject, level: string, exists: boolean): void {
    const { name = '', uid } = schema.metadata;
    if (!this.#isStarted || uid === undefined) return;
    const begin = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`;
    const condition: Condition = exists
      ? { type: 'Dangling', status: 'False', reason: 'Found', message: `${begin} and it exists` }
      : {
          type: 'Dangling',
          status: 'True',
          reason: 'NotFound',
          message: `${begin} but there is no such object`,
        };
    const conditions = (schema['status']?.conditions ?? []) as readonly Condition[];
    const before = conditions.find(({ type }) => type === 'Dangling');
    if (before !== undefined) {
      const { type, status, reason, message } = before;
      if (same({ type, status, reason, message }, condition)) return void this.#due.delete(name);
    }
    this.#due.set(name, () => this.#apply(schema, name, condition));
    if (!this.#isStarting) this.#reportNext();
  }

  /** The first report of each schema, with time for everybody else between; from then on at once. */
  #reportSlowly(): void {
    if (this.#isClosed) return;
    this.#isStarting = this.#due.size > 0;
    this.#reportNext();
    if (this.#isStarting)
      this.#timer = this.#env.timers.after(REPORT_PAUSE_MS, () => this.#reportSlowly());
  }

  #reportNext(): void {
    for (const [name, apply] of this.#due) {
      this.#due.delete(name);
      if (this.#mayReport(name)) return this.#do(apply);
    }
  }

  #mayReport(name: string): boolean {
    const now = this.#env.clock.monotonicMs();
    const recent = (this.#reports.get(name) ?? []).filter((at) => now - at < MINUTE_MS);
    if (recent.length >= REPORTS_PER_MINUTE_MAX) return false;
    this.#reports.set(name, [...recent, now]);
    return true;
  }

  async #apply(schema: KubeObject, name: string, condition: Condition): Promise<void> {
    const lastTransitionTime = timestamp(this.#env.clock.now());
    const patch = {
      apiVersion: `${group}/v1`,
      kind: 'FlowSchema',
      metadata: { name },
      status: { conditions: [{ ...condition, lastTransitionTime }] },
    };
    const request = { type: 'apply', patch, force: true } as const;
    if (!this.#schemas.has(name)) return;
    await this.#resources.patch(this.#context(schema, 'status'), name, request).catch(ignoreRace);
  }

  /** One after the other; what fails is tried again when anything changes. */
  #do(work: () => Promise<void>): void {
    this.#working = this.#working
      .then(work)
      .catch((error: unknown) => this.#env.log.warn('Cannot keep flow objects', { error }));
  }
}
