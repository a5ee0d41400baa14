// What two runs can never have alike (ids, times, versions, drawn names and addresses) is replaced by
// names; of versions it stays whether they changed, so that a write that changes nothing shows as such.

import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';

type Json = Record<string, unknown>;

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
const NOW = /\b20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;
/** Times that the corpus itself sends. */
const fixed = '2026-01-02T03:04:05';

/** Longer texts (whole objects in messages) are told apart by a hash. */
const TEXT_LENGTH_MAX = 700;

function shortened(text: string, max: number): string {
  if (text.length <= max) return text;
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 10);
  return `${text.slice(0, max / 4)}…<${hash}>`;
}

/** Causes come in no order that could be kept to, and the message repeats them. */
function plainFailure(status: Json): Json {
  const { details, message = '' } = status as { details?: { causes?: Json[] }; message?: string };
  if (details?.causes === undefined) return status;
  const texts = details.causes.map((one) => JSON.stringify(one)).toSorted();
  const causes = [...new Set(texts)].map((text) => JSON.parse(text) as Json);
  const plain = message
    .replace(/^(.*? is invalid: )[\s\S]*$/, '$1…')
    .replace(/^(Apply failed with \d+ conflicts?: )[\s\S]*$/, '$1…');
  return { ...status, message: plain, details: { ...details, causes } };
}

const without = (one: Json, name: string): Json =>
  Object.fromEntries(Object.entries(one).filter(([key]) => key !== name)) as Json;

function withoutAge(cell: unknown): unknown {
  return typeof cell === 'string' && /^(?:\d+[smhdy]){1,2}$/.test(cell) ? '<age>' : cell;
}

export interface NormaliserOptions {
  /** False where others write at any time: versions tell nothing then. */
  readonly hasVersions?: boolean;
}

/** Lists that come in the order of a hash table. */
const unordered = new Set(['resourceRules', 'nonResourceRules']);

export class Normaliser {
  readonly #hasVersions: boolean;
  #version = '';
  /** The last whole object that came: what lists and tables show of it is not kept twice. */
  #last: Json = {};

  constructor({ hasVersions = true }: NormaliserOptions = {}) {
    this.#hasVersions = hasVersions;
  }

  text(text: string): string {
    const plain = text
      // Renderings of Go values, and what differs between two of them.
      .replace(/\n@@[\s\S]*$/, '')
      .replaceAll(/Invalid value: \{".*?\}: (?=field is|cannot set)/g, 'Invalid value: {}: ')
      .replaceAll(/Invalid value: "\{\\".*?\}": /g, 'Invalid value: "{}": ')
      .replaceAll(/Duplicate value: \{"Name":.*\}$/g, 'Duplicate value: {}')
      .replaceAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, '<token>')
      .replaceAll(/kube-api-access-[a-z0-9]{5}\b/g, 'kube-api-access-<drawn>')
      .replaceAll(/\bBad_[a-z0-9]{5}\b/g, 'Bad_<drawn>')
      .replaceAll(/\bselfType\d+/g, 'selfType')
      .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:<port>')
      .replaceAll(/(X509SHA256=)[0-9a-f]{64}/g, '$1<hash>')
      .replaceAll('https://kubernetes.default.svc.cluster.local', 'https://kubernetes.default.svc')
      .replaceAll(UUID, '<uid>')
      .replaceAll(/((?:in record \(|in object meta: ))\d+/g, '$1<version>')
      .replaceAll(NOW, (time) => (time.startsWith(fixed) ? time : '<time>'))
      .replaceAll(/\bgenerated-[a-z0-9]{5}\b/g, 'generated-<drawn>')
      .replaceAll(/\b198\.18\.\d+\.\d+\b/g, '<address>')
      // Where only addresses that were asked for are low ones.
      .replaceAll(/\b198\.19\.(?!0\.|255\.255\b)\d+\.\d+\b/g, '<address>')
      .replaceAll(/\bfd00:19::(?!ffff)[0-9a-f]{3,4}\b/g, '<address of IPv6>');
    return shortened(plain, TEXT_LENGTH_MAX);
  }

  /** Whether something was written since the answer before. */
  version(version: string): string {
    if (!/^[1-9]\d*$/.test(version)) return version;
    if (version === this.#version) return '<as before>';
    this.#version = version;
    return '<new>';
  }

  value(value: unknown, key = ''): unknown {
    if (typeof value === 'string') {
      if (key === 'resourceVersion') return this.version(value);
      return this.text(value);
    }
    if (key === 'managedFields') return this.#managers(value as Json[]);
    if (key === 'nodePort' && typeof value === 'number') return '<port>';
    if (Array.isArray(value)) {
      const all = value.map((one) => this.value(one));
      const text = (one: unknown): string => JSON.stringify(one);
      return unordered.has(key) ? all.toSorted((a, b) => (text(a) < text(b) ? -1 : 1)) : all;
    }
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value as Json)
      .filter(([name]) => this.#hasVersions || name !== 'resourceVersion')
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, this.value(inner, name)]);
    return Object.fromEntries(entries) as Json;
  }

  /** A list's own version depends on what else was written. */
  body(value: unknown): unknown {
    const { metadata, items, rows } = (value ?? {}) as { metadata?: Json; items?: []; rows?: [] };
    if (metadata === undefined) return this.value(value);
    const isList = String((value as Json)['kind']).endsWith('List');
    if (isList || Array.isArray(items) || Array.isArray(rows)) {
      const { resourceVersion: _, ...rest } = metadata;
      return this.#compact(this.value({ ...(value as Json), metadata: rest }) as Json);
    }
    const whole = this.value(value) as Json;
    if (whole['kind'] === 'Status') return plainFailure(whole);
    if (whole['kind'] === 'PartialObjectMetadata') return this.#known(whole);
    if (whole['kind'] !== 'Status') this.#last = whole;
    return whole;
  }

  /** In no order: that depends on when a second ends. */
  #managers(list: readonly Json[]): Json {
    const nameOf = ({ manager, operation, subresource = '' }: Json): string =>
      `${String(manager)} ${String(operation)} ${String(subresource)}`;
    const counts = Map.groupBy(list, nameOf);
    const named = list.map((one) => {
      const { manager: _manager, operation: _operation, subresource: _subresource, ...rest } = one;
      // One who writes in two versions is there twice.
      const isTwice = (counts.get(nameOf(one))?.length ?? 0) > 1;
      return [isTwice ? `${nameOf(one)} ${String(one['apiVersion'])}` : nameOf(one), rest];
    });
    return this.value(Object.fromEntries(named) as Json) as Json;
  }

  #compact(list: Json): Json {
    const { items, rows } = list as { items?: Json[] | null; rows?: Json[] };
    if (items === null) return list;
    if (items !== undefined) return { ...list, items: items.map((one) => this.#known(one)) };
    // Upstream describes its columns in texts that are not carried over.
    const columns = (list['columnDefinitions'] as Json[]).map((one) => without(one, 'description'));
    const shown = rows?.map((row) => ({
      cells: (row['cells'] as unknown[]).map(withoutAge),
      object: this.#known(row['object'] as Json),
    }));
    return { ...list, columnDefinitions: columns, rows: shown };
  }

  #known(one: Json): unknown {
    const { apiVersion: _a, kind: _k, ...rest } = this.#last;
    if (isDeepStrictEqual(one, rest)) return '<the last object without its type>';
    if (isDeepStrictEqual(one, this.#last)) return '<the last object>';
    if (isDeepStrictEqual(one['metadata'], this.#last['metadata'])) {
      return { ...one, metadata: '<of the last object>' };
    }
    return one;
  }
}
