// Options of `strata master` and `strata agent` that Mesos has as flags of other names, from wherever
// mesos-master and mesos-agent take them: the command line, then MESOS_ variables, then LIBPROCESS_ ones.
import { isIP } from 'node:net';
import { Fault } from '#base/fault.ts';
import { namedFlag } from './flag-table.ts';

/** Flag of Mesos -> our option. */
const OPTIONS = {
  ip: 'host',
  port: 'port',
  hostname: 'hostname',
  work_dir: 'home',
  zk: 'zk',
  master: 'master',
  resources: 'resources',
  attributes: 'attributes',
} as const;

export type OptionFlag = keyof typeof OPTIONS;

const OF_MASTER: readonly OptionFlag[] = ['ip', 'port', 'hostname', 'work_dir', 'zk'];
const OF_AGENT: readonly OptionFlag[] = [
  'ip',
  'port',
  'hostname',
  'work_dir',
  'master',
  'resources',
  'attributes',
];
const KNOWN = { master: OF_MASTER, agent: OF_AGENT } as const;

export interface GivenOptions {
  /** As the command line was read, `flag` among them. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Those options that the command line names; the others are at their defaults. */
  readonly named: ReadonlySet<string>;
  /** What else is on the command line: `--NAME=VALUE`, `--NAME` and `--no-NAME`. */
  readonly rest: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface OptionSources {
  readFile(path: string): string;
  /** What a shell command prints. */
  shell(command: string): string;
}

function fault(message: string, name?: string): Fault {
  const about = name === undefined ? {} : { name };
  return new Fault({ code: 'bad-flag', ...about }, `Cannot start: ${message}`);
}

/** As stout reads a command line. Fault `bad-flag`. */
function parsedFlag(text: string): [name: string, value: string] {
  const [, no, name = '', , value] = /^--(no-)?([a-z0-9_]+)(=(.*))?$/s.exec(text) ?? [];
  if (name === '') throw fault(`"${text}" is not --NAME=VALUE`);
  if (no === undefined) return [name, value ?? 'true'];
  if (value === undefined) return [name, 'false'];
  throw fault(`flag "${name}" is set by "no-${name}" and has the value '${value}'`, name);
}

function portOf(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw fault(`flag "port": "${text}" is no port`, 'port');
}

function isOptionOf(program: 'master' | 'agent', name: string): name is OptionFlag {
  return KNOWN[program].some((one) => one === name);
}

/** What is given for each flag, as text: command line before environment. */
function flagTexts(program: 'master' | 'agent', given: GivenOptions): Map<string, string> {
  const flags = (given.options['flag'] ?? []) as readonly string[];
  const texts = new Map<string, string>();
  for (const [name, value] of [...flags.map(namedFlag), ...given.rest.map(parsedFlag)]) {
    const isNamed = isOptionOf(program, name) && given.named.has(OPTIONS[name]);
    if (texts.has(name) || isNamed) throw fault(`flag "${name}" is given twice`, name);
    texts.set(name, value);
  }
  return texts;
}

/** The address on which to listen, when it is not an option of ours; undefined: the default. */
function addressOf(
  texts: Map<string, string>,
  { named, environment }: GivenOptions,
  sources: OptionSources,
): string | undefined {
  const command =
    texts.get('ip_discovery_command') ?? environment['MESOS_IP_DISCOVERY_COMMAND'] ?? '';
  texts.delete('ip_discovery_command');
  const ip = texts.get('ip') ?? environment['MESOS_IP'] ?? '';
  if (command === '') return ip === '' ? environment['LIBPROCESS_IP'] : ip;
  if (ip !== '' || named.has('host')) {
    throw fault('Only one of `--ip` or `--ip_discovery_command` should be specified', 'ip');
  }
  const found = sources.shell(command).trim();
  if (isIP(found) !== 0) return found;
  throw fault(`flag "ip_discovery_command" gives "${found}", which is no address`, 'ip');
}

/** LIBPROCESS_ADVERTISE_IP and _PORT, unless the flags of these names are given. */
function addAdvertised(texts: Map<string, string>, { environment }: GivenOptions): void {
  for (const name of ['advertise_ip', 'advertise_port']) {
    const value = environment[`LIBPROCESS_${name.toUpperCase()}`];
    if (value === undefined || value === '' || texts.has(name)) continue;
    if (environment[`MESOS_${name.toUpperCase()}`] === undefined) texts.set(name, value);
  }
}

/** The options, with what Mesos' names say for them, and all other flags of Mesos under `flag`. */
export function withMesosOptions(
  program: 'master' | 'agent',
  given: GivenOptions,
  sources: OptionSources,
): Record<string, unknown> & { readonly flag: readonly string[] } {
  const texts = flagTexts(program, given);
  const options: Record<string, unknown> = { ...given.options };
  const address = addressOf(texts, given, sources);
  if (address !== undefined && !given.named.has('host')) texts.set('ip', address);
  for (const name of KNOWN[program]) {
    const key = OPTIONS[name];
    const fromEnvironment = given.environment[`MESOS_${name.toUpperCase()}`];
    const isOurs = name === 'work_dir' && given.environment['STRATA_HOME'] !== undefined;
    const text = texts.get(name) ?? (isOurs ? undefined : fromEnvironment);
    texts.delete(name);
    if (text === undefined || text === '' || given.named.has(key)) continue;
    const isFile = text.startsWith('file://') && name !== 'work_dir';
    const value = isFile ? sources.readFile(text.slice('file://'.length)).trim() : text;
    options[key] = name === 'port' ? portOf(value) : value;
  }
  addAdvertised(texts, given);
  return { ...options, flag: [...texts].map(([name, value]) => `${name}=${value}`) };
}
