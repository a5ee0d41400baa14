// Labels of metrics that may have only some values, others being told as "unexpected", so that whoever stores metrics
// is not flooded (--allow-metric-labels, --allow-metric-labels-manifest). Checks and words as kube-apiserver v1.37.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import {
  badFlag,
  badValue,
  openProblem,
  textFlag,
  textsFlag,
  type AccessFlags,
} from '#kube/apiserver/flag-values.ts';
import { NATIVE } from './metric-set.ts';

const FLAG = 'allow-metric-labels';
const MANIFEST = 'allow-metric-labels-manifest';
const UNEXPECTED = 'unexpected';
const COUNTER = 'cardinality_enforcement_unexpected_categorizations_total';

const metricName = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const labelName = '[a-zA-Z_][a-zA-Z0-9_]*';
const key = new RegExp(`^${metricName},${labelName}$`);
const format = `must have keys with format \`metricName,labelName\` where metricName matches ${JSON.stringify(metricName)} and labelName matches ${JSON.stringify(labelName)}`;

/** The fields of a line of CSV, as Go's reader takes them, or what it says. */
function fieldsOf(line: string): string[] | string {
  const fields: string[] = [];
  let rest = line;
  for (;;) {
    const quoted = /^"((?:[^"]|"")*)"(?=,|$)/.exec(rest);
    const found = quoted ?? /^([^",]*)(?=,|$)/.exec(rest);
    if (found === null) {
      const why = rest.startsWith('"')
        ? 'extraneous or missing " in quoted-field'
        : 'bare " in non-quoted-field';
      const column = line.length - rest.length + rest.indexOf('"', 1) + 1;
      return `parse error on line 1, column ${column}: ${why}`;
    }
    fields.push((found[1] ?? '').replaceAll('""', '"'));
    rest = rest.slice(found[0].length);
    if (rest === '') return fields;
    rest = rest.slice(1);
  }
}

/** `KEY=VALUE`, or several with commas between. Throws Fault. */
function pairsOf(text: string): (readonly [string, string])[] {
  const fail = (what: string): Error => badValue(FLAG, text, what);
  const signs = text.split('=').length - 1;
  if (signs === 0) throw fail(`${text} must be formatted as key=value`);
  const fields = signs === 1 ? [text.replace(/^"+|"+$/g, '')] : fieldsOf(text);
  if (typeof fields === 'string') throw fail(fields);
  return fields.map((pair) => {
    const at = pair.indexOf('=');
    if (at < 0) throw fail(`${pair} must be formatted as key=value`);
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
}

type Mapping = Readonly<Record<string, string>>;

const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((one) => typeof one === 'string');

/** What is wrong with it; undefined: nothing. */
function problemOf(field: string, mapping: Mapping): string | undefined {
  if (Object.keys(mapping).every((one) => key.test(one))) return undefined;
  return `${field}: Invalid value: ${JSON.stringify(mapping)}: ${format}`;
}

/** Throws Fault. */
function manifestOf(path: string): Mapping {
  const field = 'metrics.allowListMappingManifest';
  const refuse = (why: string): Error =>
    badFlag(MANIFEST, `${field}: Invalid value: ${JSON.stringify(path)}: ${why}`);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw refuse(`failed to read allow list manifest: ${openProblem(path, error)}`);
  }
  let mapping: unknown;
  try {
    mapping = parse(text) ?? {};
  } catch (error) {
    throw refuse(`failed to parse allow list manifest: ${(error as Error).message}`);
  }
  if (!isMapping(mapping)) throw refuse('failed to parse allow list manifest: it maps no texts');
  const problem = problemOf(field, mapping);
  if (problem !== undefined) throw refuse(`invalid allow list mapping in manifest: [${problem}]`);
  return mapping;
}

/** Of one metric: the values that each of its labels may have. */
type Allowed = Map<string, ReadonlySet<string>>;

const TYPE = /^# TYPE (\S+) (\S+)$/;
const SAMPLE = /^([^\s{]+)\{(.*)\} (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

interface Limited {
  readonly lines: readonly string[];
  /** How often something was counted under another value than it has. */
  readonly count: number;
}

/** Of the lines of one metric: those that say the same of the same labels become one. */
function limited(type: string, samples: readonly string[], allowed: Allowed): Limited {
  const sums = new Map<string, number>();
  const plain: string[] = [];
  let count = 0;
  for (const line of samples) {
    // Of series that become one only buckets with fixed bounds are told.
    if (line.startsWith(NATIVE)) continue;
    const found = SAMPLE.exec(line);
    if (found === null) {
      plain.push(line);
      continue;
    }
    const [, name = '', list = '', text = ''] = found;
    let isOther = false;
    const labels = list.replaceAll(LABEL, (all, label: string, value: string) => {
      if (allowed.get(label)?.has(value) !== false) return all;
      isOther = true;
      return `${label}="${UNEXPECTED}"`;
    });
    const value = Number(text);
    const told = `${name}{${labels}}`;
    // The last that is set is the one that is seen.
    const before = type === 'gauge' ? 0 : (sums.get(told) ?? 0);
    sums.set(told, before + value);
    if (!isOther) continue;
    if (type === 'gauge') count += 1;
    else if (type === 'counter' || name.endsWith('_count')) count += value;
  }
  return { lines: [...plain, ...[...sums].map(([told, value]) => `${told} ${value}`)], count };
}

export class LabelLimits {
  readonly #metrics = new Map<string, Allowed>();

  private constructor(mapping: Mapping) {
    for (const [name, values] of Object.entries(mapping)) {
      const [metric = '', label = ''] = name.split(',');
      const allowed: Allowed = this.#metrics.get(metric) ?? new Map();
      this.#metrics.set(metric, allowed.set(label, new Set(values.split(','))));
    }
  }

  /** undefined: all may have any. Throws Fault. */
  static of(flags: AccessFlags): LabelLimits | undefined {
    const given = textsFlag(flags, FLAG).filter((one) => one !== '');
    const manifest = textFlag(flags, MANIFEST);
    const pairs = given.flatMap(pairsOf).toSorted(([a], [b]) => (a < b ? -1 : 1));
    const mapping = Object.fromEntries(pairs);
    const problem = problemOf('metrics.allowListMapping', mapping);
    if (problem !== undefined) throw badFlag(FLAG, problem);
    if (manifest === undefined) {
      return given.length === 0 ? undefined : new LabelLimits(mapping);
    }
    const said = manifestOf(manifest);
    if (given.length > 0) {
      const value = { allowListMapping: mapping, allowListMappingManifest: manifest };
      const why = 'cannot specify both allowListMapping and allowListMappingManifest';
      throw badFlag(FLAG, `metrics: Invalid value: ${JSON.stringify(value)}: ${why}`);
    }
    return new LabelLimits(said);
  }

  /** Lines of a page of metrics, each metric behind its type. */
  limit(lines: readonly string[]): string[] {
    const out: string[] = [];
    let total = 0;
    for (let i = 0; i < lines.length;) {
      const line = lines[i] ?? '';
      i += 1;
      out.push(line);
      const [, metric = '', type = ''] = TYPE.exec(line) ?? [];
      const allowed = this.#metrics.get(metric);
      if (allowed === undefined) continue;
      const start = i;
      while (i < lines.length && lines[i]?.startsWith('#') === false) i += 1;
      const { lines: own, count } = limited(type, lines.slice(start, i), allowed);
      out.push(...own);
      total += count;
    }
    return [...out, `# TYPE ${COUNTER} counter`, `${COUNTER} ${total}`];
  }
}
