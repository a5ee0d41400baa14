// What of an agent may be offered a second time, and who gives way when it is wanted back: resource
// estimators and QoS controllers, as `--resource_estimator` and `--qos_controller` name them. Pure.
import { parseResources } from '#mesos/resources/parse.ts';
import type { Resource } from '#wire/mesos/v1.ts';
import type { ExecutorKey } from './types.ts';

export interface MeasuredExecutor {
  readonly key: ExecutorKey;
  readonly containerId: string;
  /** What it and its tasks were given. */
  readonly resources: readonly Resource[];
  /** Cpus it has used since it was last measured; undefined the first time. */
  readonly cpusUsed: number | undefined;
}

export interface Measured {
  readonly executors: readonly MeasuredExecutor[];
  /** Of the machine, as the agent tells the master. */
  readonly cpusTotal: number;
  readonly load5: number;
  readonly load15: number;
}

/** Says all revocable resources that the agent has, those in use among them. */
export type ResourceEstimator = (measured: Measured) => readonly Resource[];

/** Says who is to be ended. */
export type QosController = (measured: Measured) => readonly MeasuredExecutor[];

export type ModuleParameters = Readonly<Record<string, string>>;

const CPUS = 'cpus';
/** New measurements count this much. */
const SMOOTHING = 0.3;
/** Estimates come in steps, so that noise takes no offers away. */
const STEP_CPUS = 0.25;

function sumCpus(resources: readonly Resource[], isRevocable: boolean): number {
  return resources
    .filter((one) => one.name === CPUS && (one.revocable !== undefined) === isRevocable)
    .reduce((sum, one) => sum + (one.scalar?.value ?? 0), 0);
}

export function isRevocable({ resources }: MeasuredExecutor): boolean {
  return resources.some((one) => one.revocable !== undefined);
}

function number(parameters: ModuleParameters, name: string, fallback: number): number {
  const text = parameters[name];
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text === '' || !(value >= 0)) throw new Error(`its parameter ${name}="${text}" is no number`);
  return value;
}

function fixedEstimator(parameters: ModuleParameters): ResourceEstimator {
  const text = parameters['resources'];
  if (text === undefined) throw new Error('it needs the parameter "resources"');
  const resources = parseResources(text).map((one) => ({ ...one, revocable: {} }));
  return () => resources;
}

/**
 * What those with a right to cpus do not use of them: memory that is taken cannot be given back in time.
 * `cpus_headroom`: so much of it is left to them.
 */
function slackEstimator(parameters: ModuleParameters): ResourceEstimator {
  const headroom = number(parameters, 'cpus_headroom', 0.5);
  const smoothed = new Map<string, number>();
  return ({ executors }) => {
    const known = new Set(executors.map((one) => one.containerId));
    for (const id of smoothed.keys()) if (!known.has(id)) smoothed.delete(id);
    let slack = -headroom;
    for (const { containerId, resources, cpusUsed } of executors) {
      const given = sumCpus(resources, false);
      if (cpusUsed === undefined || given === 0) continue;
      const before = smoothed.get(containerId) ?? cpusUsed;
      const used = before + SMOOTHING * (cpusUsed - before);
      smoothed.set(containerId, used);
      // A revocable part of it is used first: what is over is the right of others.
      slack += Math.max(0, given - used);
    }
    const value = Math.max(0, Math.floor(slack / STEP_CPUS) * STEP_CPUS);
    if (value === 0) return [];
    return [{ name: CPUS, type: 'SCALAR', scalar: { value }, revocable: {} }];
  };
}

/** Ends all that is revocable while the machine's load is too high, as Mesos' own does. */
function loadController(parameters: ModuleParameters): QosController {
  const five = number(parameters, 'load_threshold_5min', Infinity);
  const fifteen = number(parameters, 'load_threshold_15min', Infinity);
  return ({ executors, load5, load15 }) =>
    load5 > five || load15 > fifteen ? executors.filter(isRevocable) : [];
}

/**
 * Ends one revocable executor at a time, the one that uses most, once all cpus but `cpus_reserve` are
 * in use twice in a row.
 */
function slackController(parameters: ModuleParameters): QosController {
  const reserve = number(parameters, 'cpus_reserve', 0.25);
  let wasShort = false;
  return ({ executors, cpusTotal }) => {
    const used = executors.reduce((sum, one) => sum + (one.cpusUsed ?? 0), 0);
    const isShort = used > cpusTotal - reserve;
    const isDue = isShort && wasShort;
    wasShort = isShort && !isDue;
    if (!isDue) return [];
    const most = executors
      .filter(isRevocable)
      .toSorted((a, b) => (b.cpusUsed ?? 0) - (a.cpusUsed ?? 0));
    return most.slice(0, 1);
  };
}

const ESTIMATORS: Readonly<Record<string, (parameters: ModuleParameters) => ResourceEstimator>> = {
  org_apache_mesos_FixedResourceEstimator: fixedEstimator,
  strata_SlackResourceEstimator: slackEstimator,
};
const CONTROLLERS: Readonly<Record<string, (parameters: ModuleParameters) => QosController>> = {
  org_apache_mesos_LoadQoSController: loadController,
  strata_SlackQoSController: slackController,
};

/** `modules`: the parameters of each module by its name. */
export function estimatorOf(
  name: string | undefined,
  modules: Readonly<Record<string, ModuleParameters>>,
): ResourceEstimator | undefined {
  return moduleOf(name, modules, ESTIMATORS);
}

export function controllerOf(
  name: string | undefined,
  modules: Readonly<Record<string, ModuleParameters>>,
): QosController | undefined {
  return moduleOf(name, modules, CONTROLLERS);
}

function moduleOf<T>(
  name: string | undefined,
  modules: Readonly<Record<string, ModuleParameters>>,
  makers: Readonly<Record<string, (parameters: ModuleParameters) => T>>,
): T | undefined {
  if (name === undefined) return undefined;
  const make = makers[name];
  if (make === undefined) {
    throw new Error(`"${name}" is none of ${Object.keys(makers).join(', ')}`);
  }
  return make(modules[name] ?? {});
}
