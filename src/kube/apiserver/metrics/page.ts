// A page of metrics in the form that is asked for: Prometheus' text, or its protobuf messages
// (io.prometheus.client.MetricFamily), each after its length. OpenMetrics is not offered, as by kube-apiserver v1.37.
import {
  bytesPart,
  countPart,
  delimited,
  doublePart,
  message,
  textPart,
} from '#kube/types/protobuf-parts.ts';

import { NATIVE } from './metric-set.ts';
import { ZERO_THRESHOLD, type Buckets, type NativeHistogram } from './native-buckets.ts';

const PROTOBUF = 'application/vnd.google.protobuf';
const MESSAGE = 'io.prometheus.client.MetricFamily';
const ESCAPINGS = ['underscores', 'dots', 'values', 'allow-utf-8'];

export interface MetricPage {
  readonly contentType: string;
  readonly bytes: Buffer;
}

interface Sample {
  readonly name: string;
  readonly labels: readonly (readonly [string, string])[];
  readonly value: number;
  readonly native?: NativeHistogram;
}

interface Family {
  readonly type: string;
  readonly samples: Sample[];
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, (_all, one: string) => (one === 'n' ? '\n' : one));
}

function numberOf(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  return text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text);
}

function familiesOf(lines: readonly string[]): Map<string, Family> {
  const families = new Map<string, Family>();
  let current: Family | undefined;
  for (const line of lines) {
    const [, name = '', type = ''] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (name !== '') {
      current = families.getOrInsertComputed(name, () => ({ type, samples: [] }));
      continue;
    }
    const isNative = line.startsWith(NATIVE);
    const [, sample = '', list = '', value = ''] =
      /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(isNative ? line.slice(1) : line) ?? [];
    if (sample === '' || current === undefined) continue;
    const labels = [...list.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, label = '', text = '']) => [label, unescaped(text)] as const,
    );
    const native = isNative ? { native: JSON.parse(value) as NativeHistogram } : {};
    current.samples.push({ name: sample, labels, value: numberOf(value), ...native });
  }
  return families;
}

const typeNumbers: Readonly<Record<string, number>> = {
  counter: 0,
  gauge: 1,
  summary: 2,
  untyped: 3,
  histogram: 4,
};
/** The field of Metric that holds a value of the type. */
const valueFields: Readonly<Record<string, number>> = { gauge: 2, counter: 3, untyped: 5 };
const HISTOGRAM_FIELD = 7;

const labelParts = (labels: Sample['labels']): Buffer[] =>
  labels.map(([name, value]) => bytesPart(1, message(textPart(1, name), textPart(2, value))));

/** Negative numbers between the others, so that small ones are short. */
const signedPart = (field: number, value: number): Buffer =>
  countPart(field, value < 0 ? -2 * value - 1 : 2 * value);

function nativeParts({ schema, zeroCount, negative, positive }: NativeHistogram): Buffer[] {
  const spans = (field: number, { spans: all }: Buckets): Buffer[] =>
    all.map(({ offset, length }) =>
      bytesPart(field, message(signedPart(1, offset), countPart(2, length))),
    );
  const deltas = (field: number, { deltas: all }: Buckets): Buffer[] =>
    all.map((one) => signedPart(field, one));
  return [
    signedPart(5, schema),
    doublePart(6, ZERO_THRESHOLD),
    countPart(7, zeroCount),
    ...spans(9, negative),
    ...deltas(10, negative),
    ...spans(12, positive),
    ...deltas(13, positive),
  ];
}

function histograms(name: string, samples: readonly Sample[]): Buffer[] {
  const series = new Map<string, { labels: Sample['labels']; parts: Buffer[] }>();
  for (const { name: sample, labels, value, native } of samples) {
    const own = labels.filter(([label]) => label !== 'le');
    const one = series.getOrInsertComputed(JSON.stringify(own), () => ({ labels: own, parts: [] }));
    const bound = labels.find(([label]) => label === 'le')?.[1];
    if (native !== undefined) one.parts.push(...nativeParts(native));
    else if (bound === '+Inf') continue;
    else if (bound !== undefined) {
      const bucket = message(countPart(1, value), doublePart(2, numberOf(bound)));
      one.parts.push(bytesPart(3, bucket));
    } else one.parts.push(sample === `${name}_sum` ? doublePart(2, value) : countPart(1, value));
  }
  return [...series.values()].map(({ labels, parts }) =>
    message(...labelParts(labels), bytesPart(HISTOGRAM_FIELD, message(...parts))),
  );
}

function metrics(name: string, { type, samples }: Family): Buffer[] {
  if (type === 'histogram') return histograms(name, samples);
  const field = valueFields[type] ?? 5;
  return samples.map(({ labels, value }) =>
    message(...labelParts(labels), bytesPart(field, message(doublePart(1, value)))),
  );
}

function protobuf(lines: readonly string[]): Buffer {
  const families = [...familiesOf(lines)].map(([name, family]) =>
    delimited(
      message(
        textPart(1, name),
        countPart(3, typeNumbers[family.type] ?? 3),
        ...metrics(name, family).map((one) => bytesPart(4, one)),
      ),
    ),
  );
  return Buffer.concat(families);
}

function parametersOf(range: string): ReadonlyMap<string, string> {
  const [type = '', ...rest] = range.split(';').map((one) => one.trim());
  const pairs = rest.map((one) => one.split('=', 2) as [string, string]);
  return new Map([['', type.toLowerCase()], ...pairs]);
}

/** The first that is offered of what is accepted; text when nothing is. */
export function metricPage(lines: readonly string[], accept = ''): MetricPage {
  for (const range of accept.split(',').map(parametersOf)) {
    const escaping = range.get('escaping') ?? '';
    const tail = `escaping=${ESCAPINGS.includes(escaping) ? escaping : 'underscores'}`;
    const isMessage = range.get('proto') === MESSAGE && range.get('encoding') === 'delimited';
    if (range.get('') === PROTOBUF && isMessage) {
      const contentType = `${PROTOBUF}; proto=${MESSAGE}; encoding=delimited; ${tail}`;
      return { contentType, bytes: protobuf(lines) };
    }
    const isText = range.get('') === 'text/plain';
    const version = range.get('version') ?? '';
    if (isText && ['', '0.0.4', '1.0.0'].includes(version)) return text(lines, tail);
  }
  return text(lines, 'escaping=underscores');
}

const text = (lines: readonly string[], tail: string): MetricPage => ({
  contentType: `text/plain; version=0.0.4; charset=utf-8; ${tail}`,
  bytes: Buffer.from(`${lines.filter((one) => !one.startsWith(NATIVE)).join('\n')}\n`),
});
