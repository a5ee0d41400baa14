// Which standard holds for the pods of a namespace: what its labels say, or else what the configuration of
// the plugin says (PodSecurityConfiguration of pod-security.admission.config.k8s.io).
import { Fault } from '#base/fault.ts';
import { Problems } from '#kube/apiserver/configuration-file.ts';
import { invalidValue, nameProblem } from '#kube/meta/names.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import type { Level } from './pod-security-checks.ts';
import type { Json } from './request.ts';

export interface Policy {
  readonly level: Level;
  readonly version: number | 'latest';
}

export interface Policies {
  readonly enforce: Policy;
  readonly audit: Policy;
  readonly warn: Policy;
  readonly errors: readonly StatusCause[];
}

export interface PodSecurityConfiguration {
  readonly defaults: Omit<Policies, 'errors'>;
  readonly exempt: Readonly<
    Record<'usernames' | 'namespaces' | 'runtimeClasses', ReadonlySet<string>>
  >;
}

export type Labels = Readonly<Record<string, string>>;

export const PREFIX = 'pod-security.kubernetes.io/';
export const levels: readonly string[] = ['privileged', 'baseline', 'restricted'];
const MODES = ['enforce', 'audit', 'warn'] as const;

const LEVEL_WORDS = `must be one of ${levels.join(', ')}`;
const VERSION_WORDS = 'must be "latest" or "v1.x"';

function parseVersion(text: string): number | 'latest' | undefined {
  if (text === 'latest') return 'latest';
  const match = /^v1\.([0-9]|[1-9][0-9]*)$/.exec(text);
  return match === null ? undefined : Number(match[1]);
}

export const stricter = (a: Level, b: Level): boolean => levels.indexOf(a) > levels.indexOf(b);

export const nameOf = ({ level, version }: Policy): string =>
  `${level}:${version === 'latest' ? 'latest' : `v1.${version}`}`;

/** A level that cannot be read enforces most, and warns and audits of nothing. */
const fallbacks = { enforce: 'restricted', audit: 'privileged', warn: 'privileged' } as const;

export function policiesOf(
  labels: Labels = {},
  defaults: PodSecurityConfiguration['defaults'],
): Policies {
  const errors: StatusCause[] = [];
  const fail = (key: string, value: string, why: string): void =>
    void errors.push(invalidValue(`metadata.labels[${PREFIX}${key}]`, value, why));
  const read = (mode: (typeof MODES)[number]): Policy => {
    const [level, version] = [labels[`${PREFIX}${mode}`], labels[`${PREFIX}${mode}-version`]];
    const isLevel = level === undefined || levels.includes(level);
    if (!isLevel) fail(mode, level, LEVEL_WORDS);
    const parsed = version === undefined ? defaults[mode].version : parseVersion(version);
    if (parsed === undefined) fail(`${mode}-version`, version ?? '', VERSION_WORDS);
    const known = (level ?? defaults[mode].level) as Level;
    return { level: isLevel ? known : fallbacks[mode], version: parsed ?? 'latest' };
  };
  const [enforce, audit] = [read('enforce'), read('audit')];
  let warn = read('warn');
  const isEnforced = levels.includes(labels[`${PREFIX}enforce`] ?? '');
  if (labels[`${PREFIX}warn`] === undefined && isEnforced && stricter(enforce.level, warn.level)) {
    const version = labels[`${PREFIX}warn-version`] === undefined ? enforce.version : warn.version;
    warn = { level: enforce.level, version };
  }
  return { enforce, audit, warn, errors };
}

/** The labels of a namespace that is exempt say something that does not count; undefined: nothing. */
export function ignoredPolicy(
  name: string,
  policies: Policies,
  labels: Labels = {},
  { defaults }: PodSecurityConfiguration,
): string | undefined {
  const isPlain = MODES.every((mode) => policies[mode].level === 'privileged');
  const isDefault = MODES.every((mode) => nameOf(policies[mode]) === nameOf(defaults[mode]));
  if (isPlain || isDefault) return undefined;
  const said = MODES.filter(
    (mode) =>
      policies[mode].level !== 'privileged' &&
      (labels[PREFIX + mode] !== undefined || labels[`${PREFIX}${mode}-version`] !== undefined),
  ).map((mode) => `${mode}=${nameOf(policies[mode])}`);
  const policy = said.join(', ');
  return `namespace ${JSON.stringify(name)} is exempt from Pod Security, and the policy (${policy}) will be ignored`;
}

const versions = ['v1', 'v1beta1', 'v1alpha1'].map(
  (version) => `pod-security.admission.config.k8s.io/${version}`,
);

const exemptionRules = {
  usernames: (one: string) => (one === '' ? 'username must not be empty' : undefined),
  namespaces: (one: string) => nameProblem('label', one),
  runtimeClasses: (one: string) => nameProblem('subdomain', one),
};

/** Of nothing: privileged, nobody exempt. Throws Fault for what cannot be used. */
export function podSecurityConfiguration(config: unknown): PodSecurityConfiguration {
  const { apiVersion, kind, defaults = {}, exemptions = {} } = (config ?? {}) as Json;
  if (config !== undefined && (kind !== 'PodSecurityConfiguration' || !isKnown(apiVersion))) {
    throw new Fault(
      { code: 'bad-configuration' },
      `Cannot use the configuration of PodSecurity: it is a ${String(kind)} of ${String(apiVersion)}`,
    );
  }
  const problems = new Problems('the configuration of PodSecurity');
  problems.onlyKnown('', (config ?? {}) as object, [
    'apiVersion',
    'kind',
    'defaults',
    'exemptions',
  ]);
  const modes = MODES.flatMap((mode) => [mode, `${mode}-version`]);
  problems.onlyKnown('defaults', defaults as object, modes);
  problems.onlyKnown('exemptions', exemptions as object, Object.keys(exemptionRules));
  const read = (mode: string): Policy => {
    const said = defaults as Readonly<Record<string, string>>;
    const level = said[mode] || 'privileged';
    if (!levels.includes(level)) problems.invalid(`defaults.${mode}`, level, LEVEL_WORDS);
    const text = said[`${mode}-version`] || 'latest';
    const version = parseVersion(text);
    if (version === undefined) problems.invalid(`defaults.${mode}-version`, text, VERSION_WORDS);
    return { level: level as Level, version: version ?? 'latest' };
  };
  const standards = { enforce: read('enforce'), warn: read('warn'), audit: read('audit') };
  const exempt = (key: keyof typeof exemptionRules): ReadonlySet<string> => {
    const names = ((exemptions as Json)[key] ?? []) as string[];
    names.forEach((one, i) => {
      const problem = exemptionRules[key](one);
      if (problem !== undefined) problems.invalid(`exemptions.${key}[${i}]`, one, problem);
      else if (names.indexOf(one) < i) {
        problems.add(`exemptions.${key}[${i}]`, `Duplicate value: ${JSON.stringify(one)}`);
      }
    });
    return new Set(names);
  };
  const names = {
    usernames: exempt('usernames'),
    namespaces: exempt('namespaces'),
    runtimeClasses: exempt('runtimeClasses'),
  };
  problems.check();
  return { defaults: standards, exempt: names };
}

const isKnown = (apiVersion: unknown): boolean => versions.includes(String(apiVersion));
