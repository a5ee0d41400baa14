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
  /** As they are written, between the braces. */
  readonly labels: string;
  readonly value: string;
  readonly isNative: boolean;
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
    if (line.startsWith('#')) {
      const [, name = '', type = ''] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
      if (name === '') continue;
      current = families.getOrInsertComputed(name, () => ({ type, samples: [] }));
    } else current?.samples.push(sampleOf(line));
  }
  return families;
}

/** Without expressions: there are tens of thousands of lines. */
function sampleOf(line: string): Sample {
  const isNative = line.startsWith(NATIVE);
  const start = isNative ? NATIVE.length : 0;
  const end = isNative ? line.indexOf(' {"', start) : line.lastIndexOf(' ');
  const brace = line.indexOf('{', start);
  const isLabelled = brace >= 0 && brace < end;
  return {
    name: line.slice(start, isLabelled ? brace : end),
    labels: isLabelled ? line.slice(brace + 1, end - 1) : '',
    value: line.slice(end + 1),
    isNative,
  };
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

const labelParts = (labels: string): Buffer[] =>
  [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name = '', value = '']) =>
    bytesPart(1, message(textPart(1, name), textPart(2, unescaped(value)))),
  );

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
  const series = new Map<string, Buffer[]>();
  const bounds = new Map<string, Buffer>();
  for (const { name: sample, labels, value, isNative } of samples) {
    const isBucket = sample.length === name.length + BUCKET.length && sample.endsWith(BUCKET);
    const at = isBucket ? labels.lastIndexOf('le="') : labels.length;
    const own = labels.slice(0, isBucket ? Math.max(at - 1, 0) : at);
    const parts = series.getOrInsertComputed(own, () => []);
    if (isNative) parts.push(...nativeParts(JSON.parse(value) as NativeHistogram));
    else if (isBucket) {
      const bound = labels.slice(at + LE.length, -1);
      // What is above all bounds is the count of all.
      if (bound === '+Inf') continue;
      parts.push(
        bucketPart(
          Number(value),
          bounds.getOrInsertComputed(bound, () => doublePart(2, numberOf(bound))),
        ),
      );
    } else if (sample.endsWith('_sum')) parts.push(doublePart(2, numberOf(value)));
    else parts.push(countPart(1, Number(value)));
  }
  return [...series].map(([labels, parts]) =>
    message(...labelParts(labels), bytesPart(HISTOGRAM_FIELD, message(...parts))),
  );
}

const BUCKET = '_bucket';
const LE = 'le="';
const BUCKET_TAG = 26;
const COUNT_TAG = 8;

/** Field 3: a message of a count and the bound that is written already, in one piece. */
function bucketPart(count: number, bound: Buffer): Buffer {
  // A number below 2^53 has eight bytes at most; the message is never as long as 128.
  const bytes = Buffer.allocUnsafe(11 + bound.length);
  let [at, rest] = [3, count];
  while (rest > 127) {
    bytes[at++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  bytes[at++] = rest;
  bound.copy(bytes, at);
  at += bound.length;
  bytes[0] = BUCKET_TAG;
  bytes[1] = at - 2;
  bytes[2] = COUNT_TAG;
  return bytes.subarray(0, at);
}

function metrics(name: string, { type, samples }: Family): Buffer[] {
  if (type === 'histogram') return histograms(name, samples);
  const field = valueFields[type] ?? 5;
  return samples.map(({ labels, value }) =>
    message(...labelParts(labels), bytesPart(field, message(doublePart(1, numberOf(value))))),
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
