// Generates src/wire/mesos/v1.ts from the .proto files beside it: one interface per message in the v1
// JSON shape, and one compact descriptor line per message for #codec/protobuf.ts.
// `node tools/generate-wire.ts` writes it; with `--check` it only compares.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../src/wire/mesos');
const target = join(folder, 'v1.ts');

/** Packages whose top-level names would collide get a prefix; the others keep their names. */
const prefixes: Readonly<Record<string, string>> = {
  'mesos.v1': '',
  'mesos.v1.scheduler': 'Scheduler',
  'mesos.v1.executor': 'Executor',
  'mesos.v1.agent': 'Agent',
  'mesos.v1.master': 'Master',
  'mesos.v1.maintenance': 'Maintenance',
  'mesos.v1.quota': '',
  'mesos.v1.allocator': '',
  'mesos.v1.resource_provider': 'ResourceProvider',
  'mesos.resource_provider.registry': 'Provided',
  'mesos.internal': '',
  mesos: '',
  'mesos.scheduler': 'Driver',
  'google.protobuf': 'Google',
};

const primitives: Readonly<Record<string, string>> = {
  string: 'string',
  bytes: 'Uint8Array',
  bool: 'boolean',
  int32: 'number',
  int64: 'number',
  uint32: 'number',
  uint64: 'number',
  double: 'number',
  float: 'number',
};

interface Field {
  readonly name: string;
  readonly tag: number;
  readonly label: 'required' | 'optional' | 'repeated' | 'map';
  readonly type: string;
  /** What an unset field reads as; not of deprecated fields, which Mesos never shows by themselves. */
  readonly fallback?: string | undefined;
}

interface Definition {
  /** Full proto name, e.g. `mesos.v1.Offer.Operation`. */
  readonly full: string;
  readonly fields: Field[];
  readonly values: [string, number][] | undefined;
}

function parse(text: string): { pkg: string; definitions: Definition[] } {
  const pkg = /^package ([\w.]+);/m.exec(text)?.[1] ?? '';
  const definitions: Definition[] = [];
  const scope: Definition[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.replace(/\/\/.*$/, '').trim();
    const open = /^(message|enum) (\w+) \{$/.exec(line);
    if (open !== null) {
      const full = `${scope.at(-1)?.full ?? pkg}.${open[2]}`;
      const definition = { full, fields: [], values: open[1] === 'enum' ? [] : undefined };
      definitions.push(definition);
      scope.push(definition);
      continue;
    }
    if (line === '}') {
      scope.pop();
      continue;
    }
    const current = scope.at(-1);
    if (current === undefined || line === '') continue;
    const value = /^(\w+) = (\d+);$/.exec(line);
    if (current.values !== undefined && value !== null) {
      current.values.push([value[1] ?? '', Number(value[2])]);
      continue;
    }
    const map = /^map<string, ([\w.]+)> (\w+) = (\d+)/.exec(line);
    const field = /^(required|optional|repeated) ([\w.]+) (\w+) = (\d+)/.exec(line);
    if (map !== null) {
      current.fields.push({
        name: map[2] ?? '',
        tag: Number(map[3]),
        label: 'map',
        type: map[1] ?? '',
      });
    } else if (field !== null) {
      const label = field[1] as Field['label'];
      current.fields.push({
        name: field[3] ?? '',
        tag: Number(field[4]),
        label,
        type: field[2] ?? '',
        fallback: fallbackOf(line),
      });
    } else throw new Error(`Cannot parse: ${raw}`);
  }
  return { pkg, definitions };
}

function fallbackOf(line: string): string | undefined {
  const value = /\[default = ([^,\]]+)/.exec(line)?.[1];
  return line.includes('deprecated = true') ? undefined : value?.replaceAll('"', '');
}

/** The TypeScript name of a message or enum of a `.proto` file. */
export function flatName(full: string): string {
  const packages = Object.keys(prefixes).toSorted((a, b) => b.length - a.length);
  const pkg = packages.find((one) => full.startsWith(`${one}.`)) ?? '';
  return `${prefixes[pkg]}${full.slice(pkg.length + 1).replaceAll('.', '_')}`;
}

/** Protobuf's name lookup: innermost scope first. */
function resolve(type: string, scope: string, known: ReadonlySet<string>): string {
  for (let at = scope; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
    if (known.has(`${at}.${type}`)) return `${at}.${type}`;
  }
  if (known.has(type)) return type;
  throw new Error(`Unknown type ${type} in ${scope}`);
}

const wireCodes: Readonly<Record<string, string>> = {
  string: 's',
  bytes: 'b',
  bool: 'B',
  int32: 'i',
  int64: 'l',
  uint32: 'u',
  uint64: 'L',
  double: 'd',
  float: 'f',
};

export function generateWire(): string {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.proto'))
    .toSorted();
  const all = files.flatMap((name) => parse(readFileSync(join(folder, name), 'utf8')).definitions);
  const known = new Set(all.map(({ full }) => full));
  const enums = new Set(all.filter(({ values }) => values !== undefined).map(({ full }) => full));
  const types: string[] = [];
  const rows: string[] = [];
  const names: string[] = [];
  for (const { full, fields, values } of all) {
    const name = flatName(full);
    if (values !== undefined) {
      types.push(`export type ${name} = ${values.map(([one]) => `'${one}'`).join(' | ')};`);
      rows.push(`  ${name}: '=${values.map(([one, number]) => `${one}=${number}`).join(' ')}',`);
      continue;
    }
    names.push(name);
    const lines: string[] = [];
    const codes: string[] = [];
    for (const field of fields) {
      const primitive = primitives[field.type];
      const resolved = primitive === undefined ? resolve(field.type, full, known) : undefined;
      const ts = primitive ?? flatName(resolved ?? '');
      const code = wireCodes[field.type] ?? `${enums.has(resolved ?? '') ? '=' : ''}${ts}`;
      const mark = { required: '!', optional: ' ', repeated: '+', map: '%' }[field.label];
      const fallback = field.fallback === undefined ? '' : `=${field.fallback}`;
      codes.push(`${field.name}${mark}${field.tag}:${code}${fallback}`);
      if (field.label === 'repeated') lines.push(`  ${field.name}?: ${ts}[] | undefined;`);
      else if (field.label === 'map') {
        lines.push(`  ${field.name}?: Record<string, ${ts}> | undefined;`);
      } else if (field.label === 'required') lines.push(`  ${field.name}: ${ts};`);
      else lines.push(`  ${field.name}?: ${ts} | undefined;`);
    }
    types.push(`export interface ${name} {${lines.length === 0 ? '' : `\n${lines.join('\n')}\n`}}`);
    rows.push(`  ${name}: '${codes.join(',')}',`);
  }
  return [
    '// Generated by tools/generate-wire.ts from the .proto files beside it; never edited.',
    '// Wire values are plain objects in the v1 JSON shape; 64-bit integers are numbers (exact to 2^53).',
    '',
    ...types,
    '',
    'export interface Messages {',
    ...names.map((name) => `  ${name}: ${name};`),
    '}',
    '',
    '/** Field notation: name, label (! required, + repeated, % map), tag, type, default; see #codec/protobuf.ts. */',
    'export const descriptors: Readonly<Record<string, string>> = {',
    ...rows,
    '};',
    '',
  ].join('\n');
}

if (import.meta.main) {
  const text = generateWire();
  if (process.argv.includes('--check')) {
    process.exitCode = readFileSync(target, 'utf8') === text ? 0 : 1;
  } else writeFileSync(target, text);
}
