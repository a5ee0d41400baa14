// The OpenAPI documents of this server: those of the built-in kinds lie beside the bundle, written and packed when
// it was made; those of custom kinds are made when they are asked for, and kept until a resource comes or goes.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ResourceRegistry } from '#kube/meta/resource-info.ts';
import { groupsOf } from '#kube/openapi/discovery.ts';
import {
  openApiPath,
  openApiV2,
  openApiV3,
  openApiV3Index,
  type Descriptions,
} from '#kube/openapi/documents.ts';
import { fileOf, hashOf, OPEN_API_V2, type MadeDocuments } from '#kube/openapi/made-documents.ts';
import { mergeOpenApiV2 } from '#kube/openapi/remote-versions.ts';
import type { Aggregation } from './aggregation/aggregation.ts';

export interface Document {
  readonly bytes: Buffer;
  /** The same with gzip, where it was packed before. */
  readonly packed?: Buffer | undefined;
}

/** What `kubectl explain` shows, made by a build step out of an installed package; may be absent. */
function loadDescriptions(): Descriptions {
  for (const place of ['..', '../../../build']) {
    const path = join(import.meta.dirname, place, 'explain-descriptions.json');
    if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Descriptions;
  }
  return {};
}

/** Sources have none: what they would hold depends on the sources. */
const BESIDE_BUNDLE = join(import.meta.dirname, 'openapi');

function loadMade(folder: string): MadeDocuments {
  const path = join(folder, 'index.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as MadeDocuments) : {};
}

export class OpenApiDocuments {
  readonly #registry: ResourceRegistry;
  readonly #aggregation: Pick<Aggregation, 'documents'>;
  readonly #folder: string;
  #descriptions: Descriptions | undefined;
  #made: MadeDocuments | undefined;
  /** By path, of what is not among those made before. */
  readonly #texts = new Map<string, string>();

  constructor(
    registry: ResourceRegistry,
    aggregation: Pick<Aggregation, 'documents'>,
    folder = BESIDE_BUNDLE,
  ) {
    this.#folder = folder;
    this.#registry = registry;
    this.#aggregation = aggregation;
    registry.onChange(() => this.#texts.clear());
  }

  v2(): Document {
    const remotes = this.#aggregation.documents();
    const hasOthers = remotes.length > 0 || this.#registry.all().some(isCustom);
    const made = hasOthers ? undefined : this.#read(OPEN_API_V2);
    if (made !== undefined) return made;
    this.#descriptions ??= loadDescriptions();
    const document = openApiV2(this.#registry, this.#descriptions);
    for (const { openApiV2: remote, version } of remotes) {
      if (remote !== undefined) mergeOpenApiV2(document, remote, version);
    }
    return { bytes: Buffer.from(JSON.stringify(document)) };
  }

  v3Index(): Record<string, unknown> {
    const hashes = new Map<string, string>();
    for (const { path, group, version } of this.#served()) {
      const made = this.#isMade(path, { group, version }) ? this.#known[path] : undefined;
      const text = made === undefined ? this.#text(path, { group, version }) : undefined;
      const hash = made?.hash ?? (text === undefined ? undefined : hashOf(text));
      if (hash !== undefined) hashes.set(path, hash);
    }
    const { paths } = openApiV3Index(hashes) as { paths: Record<string, unknown> };
    for (const { openApiV3Url: serverRelativeURL, version } of this.#aggregation.documents()) {
      if (serverRelativeURL !== undefined) paths[openApiPath(version)] = { serverRelativeURL };
    }
    return { paths };
  }

  /** `path`: as in openApiPath(). */
  v3(path: string): Document | undefined {
    const served = this.#served().find((one) => one.path === path);
    if (served === undefined) return undefined;
    const made = this.#isMade(path, served) ? this.#read(path) : undefined;
    if (made !== undefined) return made;
    const text = this.#text(path, served);
    return text === undefined ? undefined : { bytes: Buffer.from(text) };
  }

  #served(): { readonly path: string; readonly group: string; readonly version: string }[] {
    return groupsOf(this.#registry).flatMap(({ group, versions }) =>
      versions.map((version) => ({ path: openApiPath({ group, version }), group, version })),
    );
  }

  get #known(): MadeDocuments {
    this.#made ??= loadMade(this.#folder);
    return this.#made;
  }

  /** Whether the document that was made before says all: custom kinds may be in any group. */
  #isMade(path: string, { group, version }: { group: string; version: string }): boolean {
    if (this.#known[path] === undefined) return false;
    const isOf = (one: { group: string; version: string }): boolean =>
      one.group === group && one.version === version;
    return !this.#registry.all().some((one) => isOf(one) && isCustom(one));
  }

  #read(path: string): Document | undefined {
    const entry = this.#known[path];
    if (entry === undefined) return undefined;
    const file = join(this.#folder, fileOf(path));
    const packed = entry.isPacked ? readFileSync(`${file}.gz`) : undefined;
    return { bytes: readFileSync(file), packed };
  }

  #text(path: string, groupVersion: { group: string; version: string }): string | undefined {
    const known = this.#texts.get(path);
    if (known !== undefined) return known;
    this.#descriptions ??= loadDescriptions();
    const document = openApiV3(this.#registry, groupVersion, this.#descriptions);
    if (document === undefined) return undefined;
    const text = JSON.stringify(document);
    this.#texts.set(path, text);
    return text;
  }
}

const isCustom = ({
  customResourceDefinition,
}: {
  customResourceDefinition?: string | undefined;
}) => customResourceDefinition !== undefined;
