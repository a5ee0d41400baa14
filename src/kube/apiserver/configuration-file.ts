// Files that configure the API server, in the form of objects: apiserver.config.k8s.io, audit.k8s.io.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { Fault } from '#base/fault.ts';

export type Json = Record<string, unknown>;

/** What is wrong in a file, each with its field, as upstream lists it. */
export class Problems {
  readonly #all: string[] = [];
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  add(field: string, why: string): void {
    this.#all.push(`${field}: ${why}`);
  }

  required(field: string, value: unknown, why = ''): boolean {
    const isThere = value !== undefined && value !== null && value !== '';
    if (!isThere) this.add(field, why === '' ? 'Required value' : `Required value: ${why}`);
    return isThere;
  }

  invalid(field: string, value: unknown, why: string): void {
    this.add(field, `Invalid value: ${JSON.stringify(value)}: ${why}`);
  }

  /** Fields that nobody reads are mistakes. */
  onlyKnown(field: string, object: object, known: readonly string[]): void {
    for (const key of Object.keys(object)) {
      if (!known.includes(key)) this.add(field === '' ? key : `${field}.${key}`, 'unknown field');
    }
  }

  /** Throws Fault. */
  check(): void {
    if (this.#all.length === 0) return;
    const list = this.#all.length === 1 ? this.#all[0] : `[${this.#all.join(', ')}]`;
    throw new Fault(
      { code: 'bad-configuration', path: this.#path },
      `Cannot use ${this.#path}: ${list}`,
    );
  }
}

/** Throws Fault for a file that cannot be read or is of another kind. */
export function readConfiguration(
  path: string,
  group: string,
  wanted: {
    readonly kind: string;
    readonly versions: readonly string[];
    /** Group and version of forms that say the same. */
    readonly earlier?: readonly string[];
  },
): Json {
  let found: unknown;
  try {
    found = parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Fault(
      { code: 'bad-configuration', path },
      `Cannot use ${path}: ${(error as Error).message}`,
      { cause: error },
    );
  }
  const object = (found ?? {}) as Json;
  const { apiVersion, kind } = object;
  const isVersion = wanted.versions.some((version) => apiVersion === `${group}/${version}`);
  const isEarlier = wanted.earlier?.some((one) => apiVersion === one) === true;
  if (kind === wanted.kind && (isVersion || isEarlier)) return object;
  const [version] = wanted.versions;
  throw new Fault(
    { code: 'bad-configuration', path },
    `Cannot use ${path}: it is a ${String(kind)} of ${String(apiVersion)}, not a ${wanted.kind} of ${group}/${version}`,
  );
}
