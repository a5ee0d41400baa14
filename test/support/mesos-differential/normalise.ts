// What two runs of one script can never have alike (ids, times, ports, build facts) is replaced by
// names, and lists that Mesos keeps in hash order are sorted; everything else is left to compare.

export interface Surroundings {
  /** Port -> the name that stands for it, e.g. `<master port>`. */
  readonly ports: ReadonlyMap<number, string>;
  /** Further texts of one run alone -> their names, e.g. folders. */
  readonly texts: ReadonlyMap<string, string>;
}

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const offerId = new RegExp(`${UUID}-O\\d+`, 'g');
const masterChild = new RegExp(`${UUID}-(S\\d+|\\d{4})`, 'g');
const uuid = new RegExp(UUID, 'g');
const timeKey = /(^|_)(time|timestamp|start_time|elected_time)(_seconds)?$/;
const buildKeys: ReadonlySet<string> = new Set([
  'build_date',
  'build_time',
  'build_user',
  'git_sha',
  'git_tag',
  'git_branch',
]);

/** Lists whose order means nothing; the values that they are sorted by. */
const unordered: Readonly<Record<string, (one: Json) => string>> = {
  roles: nameOf,
  frameworks: nameOf,
  slaves: (one) => String(one['id'] ?? ''),
  agents: (one) => JSON.stringify(one['agent_info'] ?? one),
  completed_frameworks: nameOf,
  resources: resourceName,
  total_resources: resourceName,
  allocated_resources: resourceName,
  offered_resources: resourceName,
  weight_infos: (one) => String(one['role']),
  flags: nameOf,
  metrics: nameOf,
  executors: (one) => JSON.stringify(one),
  tasks: (one) => JSON.stringify(one['task_id'] ?? one['id'] ?? one),
  completed_tasks: (one) => JSON.stringify(one['task_id'] ?? one['id'] ?? one),
  unreachable_tasks: (one) => JSON.stringify(one['task_id'] ?? one['id'] ?? one),
  offers: (one) => JSON.stringify(one['agent_id'] ?? one['slave_id'] ?? one),
  executor_ids: (one) => JSON.stringify(one),
  unreserved_resources_full: resourceName,
  used_resources_full: resourceName,
  offered_resources_full: resourceName,
  operations: (one) => JSON.stringify(one['info'] ?? one),
  framework_ids: String,
  slave_ids: String,
  draining_machines: (one) => JSON.stringify(one['id']),
  down_machines: (one) => JSON.stringify(one),
  configs: (one) => String(one['role']),
  infos: (one) => String(one['role']),
};

type Json = Record<string, unknown>;

function nameOf(one: Json): string {
  if (typeof one === 'string') return one;
  const info = one['framework_info'] as Json | undefined;
  return `${String(one['name'] ?? info?.['name'])} ${JSON.stringify(one['id'] ?? info?.['id'] ?? '')}`;
}

function resourceName(one: Json): string {
  return `${String(one['name'])} ${String(one['role'])} ${JSON.stringify(one['reservations'] ?? '')} ${JSON.stringify(one['disk'] ?? '')}`;
}

interface Metric {
  readonly name: string;
  readonly value?: number;
}

/** Which flags there are; their values are how a master was started. */
function flagNames(flags: unknown): string[] {
  const list = Array.isArray(flags)
    ? (flags as { name: string }[]).map(({ name }) => name)
    : Object.keys(flags as object);
  return list.toSorted();
}

/** Names, and the values that depend on nothing but what was asked. */
export function metrics(list: readonly Metric[], around: Surroundings): Json {
  const isCounted = (name: string): boolean =>
    name.startsWith('master/') &&
    !/uptime|event_queue|http_cache|recovery_time/.test(name) &&
    // How often something is offered is a matter of time.
    !/\/(events|events\/offers|events\/rescind|events\/heartbeat|offers\/(sent|rescinded))$/.test(
      name,
    );
  const entries = list
    .filter(({ name }) => !/_ms\/(count|min|max|p\d+)$/.test(name))
    .map(({ name, value = 0 }): [string, unknown] => [
      normaliseText(name, around),
      isCounted(name) ? value : '<number>',
    ])
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries) as Json;
}

export function normaliseText(text: string, { ports, texts }: Surroundings): string {
  let out = text;
  for (const [own, name] of texts) out = out.replaceAll(own, name);
  out = out
    .replaceAll(offerId, '<offer>')
    .replaceAll(masterChild, '<master>-$1')
    .replaceAll(uuid, '<uuid>');
  for (const [port, name] of ports) {
    out = out.replaceAll(new RegExp(`(:|\\b)${port}\\b`, 'g'), `$1${name}`);
  }
  return out;
}

function normaliseNumber(value: number, key: string, { ports }: Surroundings): unknown {
  if (/^(avg_load|mem_|cpus_total$|executor_pid$)/.test(key)) return '<number>';
  if (key === 'port') return ports.get(value) ?? value;
  if (timeKey.test(key) && value !== 0) return '<time>';
  return value;
}

function isTime(key: string, value: object): boolean {
  return timeKey.test(key) && 'nanoseconds' in value;
}

export function normalise(value: unknown, around: Surroundings, key = ''): unknown {
  if (buildKeys.has(key)) return '<build>';
  if (key === 'flags') return flagNames(value);
  if (key === 'metrics' && Array.isArray(value)) return metrics(value as Metric[], around);
  if (key === 'uuid' || key === 'operation_uuid' || key === 'status_update_uuid') return '<uuid>';
  if (typeof value === 'string') return normaliseText(value, around);
  if (typeof value === 'number') return normaliseNumber(value, key, around);
  if (Array.isArray(value)) {
    const items = value.map((one) => normalise(one, around));
    const by = unordered[key];
    if (by === undefined) return items;
    return items.toSorted((a, b) => (by(a as Json) < by(b as Json) ? -1 : 1));
  }
  if (typeof value !== 'object' || value === null) return value;
  if (isTime(key, value)) return '<time>';
  const entries = Object.entries(value).map(([name, inner]) => [
    normaliseText(name, around),
    normalise(inner, around, name),
  ]);
  return Object.fromEntries(entries) as Json;
}
