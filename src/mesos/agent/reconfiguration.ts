// Whether an agent may go on under its id although its configuration is another one than it registered with
// (--reconfiguration_policy; inventory 4). Pure: what differs, in words, or nothing.
import { Resources } from '#mesos/resources/resources.ts';
import { resourcesText } from '#mesos/resources/text.ts';
import { containsRanges } from '#mesos/resources/ranges.ts';
import type { AgentInfo, Attribute } from '#wire/mesos/v1.ts';

/** `any` is ours: for agents whose share of a machine is counted anew at each start. */
export type ReconfigurationPolicy = 'equal' | 'additive' | 'any';

function attributeText({ name, scalar, ranges, text }: Attribute): string {
  if (scalar !== undefined) return `${name}:${scalar.value}`;
  if (ranges !== undefined) {
    const all = (ranges.range ?? []).map(({ begin, end }) => `${begin}-${end}`);
    return `${name}:[${all.join(',')}]`;
  }
  return `${name}:${text?.value ?? ''}`;
}

function changed(what: string, old: string, now: string): string[] {
  return old === now ? [] : [`${what} changed from ${old} to ${now}`];
}

function same(previous: AgentInfo, current: AgentInfo): string[] {
  const domain = (info: AgentInfo): string => JSON.stringify(info.domain ?? 'none');
  return [
    ...changed('hostname', previous.hostname, current.hostname),
    ...changed('port', String(previous.port ?? ''), String(current.port ?? '')),
    ...(previous.domain === undefined ? [] : changed('domain', domain(previous), domain(current))),
  ];
}

/** All differences, when nothing may differ. */
function unequal(previous: AgentInfo, current: AgentInfo): string[] {
  const [old, now] = [Resources.of(previous.resources), Resources.of(current.resources)];
  const attributes = ({ attributes: all = [] }: AgentInfo): string =>
    all.map(attributeText).toSorted().join(';') || 'none';
  const isSame = old.contains(now) && now.contains(old);
  return [
    ...same(previous, current),
    ...(previous.domain === undefined && current.domain !== undefined ? ['domain was added'] : []),
    ...(isSame ? [] : changed('resources', resourcesText(old), resourcesText(now))),
    ...changed('attributes', attributes(previous), attributes(current)),
  ];
}

/** What is less than it was. */
function reduced(previous: AgentInfo, current: AgentInfo): string[] {
  const now = Resources.of(current.resources);
  const resources = (previous.resources ?? [])
    .map((resource) => Resources.of([resource]))
    .filter((resource) => !now.contains(resource))
    .map((resource) => `resource ${resourcesText(resource)} is not in ${resourcesText(now)}`);
  const attributes = (previous.attributes ?? []).flatMap((old) => {
    const match = (current.attributes ?? []).find(({ name }) => name === old.name);
    if (match === undefined) return [`attribute ${attributeText(old)} is not there any more`];
    const isKept =
      old.type === 'RANGES' && match.type === 'RANGES'
        ? containsRanges(pairs(match), pairs(old))
        : attributeText(old) === attributeText(match);
    return isKept ? [] : changed('attribute', attributeText(old), attributeText(match));
  });
  return [...same(previous, current), ...resources, ...attributes];
}

function pairs({ ranges }: Attribute): { begin: number; end: number }[] {
  return (ranges?.range ?? []).map(({ begin, end }) => ({ begin, end }));
}

/** Empty: the agent may go on as it is configured now. */
export function refusedChanges(
  previous: AgentInfo,
  current: AgentInfo,
  policy: ReconfigurationPolicy,
): readonly string[] {
  if (policy === 'any') return [];
  return policy === 'equal' ? unequal(previous, current) : reduced(previous, current);
}
