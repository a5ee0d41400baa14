// The OpenAPI documents of this server: those of the built-in kinds lie beside the bundle, written and packed when
// it was made; those of custom kinds are made when they are asked for, a piece at a time, and kept until what they
// say has changed. Of OpenAPI v2, which is one document, the pieces are kept, so that a change costs what changed.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ResourceInfo, ResourceRegistry } from '#kube/meta/resource-info.ts';
import { groupsOf } from '#kube/openapi/discovery.ts';
import { openApiPath, openApiV3Index, sorted } from '#kube/openapi/documents.ts';
import { fileOf, OPEN_API_V2, type MadeDocuments } from '#kube/openapi/made-documents.ts';
import {
  inTurns,
  jsonDocument,
  noPieces,
  piecesOf,
  piecesOfV2,
  protobufV2,
  type DocumentHead,
  type Pieces,
} from '#kube/openapi/pieces.ts';
import { mergeOpenApiV2 } from '#kube/openapi/remote-versions.ts';
import { serverDocuments } from '#kube/openapi/server-paths.ts';
import type { Descriptions } from '#kube/openapi/texts.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import type { Aggregation } from './aggregation/aggregation.ts';
import { loadDescriptions } from './descriptions.ts';

type Json = Record<string, unknown>;

export interface OpenApiDocument {
  readonly bytes: Buffer;
  /** The same with gzip, where it was packed before. */
  readonly packed?: Buffer | undefined;
  /** Changes with the content: see hashOf(). */
  readonly hash: string;
  readonly modifiedMs: number;
  /** As gnostic's message. */
  protobuf(): Promise<Buffer>;
}

/** Sources have none: what they would hold depends on the sources. */
const BESIDE_BUNDLE = join(import.meta.dirname, 'openapi');

function loadMade(folder: string): MadeDocuments {
  const path = join(folder, 'index.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as MadeDocuments) : {};
}

const HASHED_BYTES = 1 << 20;

/** As hashOf(), with turns for others. */
async function hashInTurns(bytes: Buffer): Promise<string> {
  const hash = createHash('sha512');
  for (let at = 0; at < bytes.length; at += HASHED_BYTES) {
    hash.update(bytes.subarray(at, at + HASHED_BYTES));
    if (at > 0) await new Promise((done) => setImmediate(done));
  }
  return hash.digest('hex').toUpperCase();
}

async function protobufV3(bytes: Buffer): Promise<Buffer> {
  const { encodeOpenApiV3 } = await import('#kube/openapi/gnostic-v3.ts');
  return encodeOpenApiV3(JSON.parse(bytes.toString()) as Json);
}

const isCustom = ({ customResourceDefinition }: ResourceInfo): boolean =>
  customResourceDefinition !== undefined;

interface Place {
  readonly path: string;
  /** Undefined: of a document that has no resources. */
  readonly of?: { readonly group: string; readonly version: string };
}

/** Discovery of custom kinds is described nowhere. */
const builtInGroups = groupsOf(new TypeRegistry());
const serverPlaces: readonly Place[] = serverDocuments(builtInGroups).map((path) => ({ path }));

/** A document, while the same is served. */
interface Kept {
  readonly sources: readonly unknown[];
  readonly document: Promise<OpenApiDocument>;
}

const isSame = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((one, index) => one === b[index]);

export class OpenApiDocuments {
  readonly #registry: ResourceRegistry;
  readonly #aggregation: Pick<Aggregation, 'documents'>;
  readonly #folder: string;
  readonly #now: () => number;
  readonly #startedMs: number;
  #descriptions: Descriptions | undefined;
  #made: MadeDocuments | undefined;
  /** By path, and by `v2`, of what is not among those made before. */
  readonly #kept = new Map<string, Kept>();
  /** Of OpenAPI v2: of the kinds that are built in, and of each custom one. */
  #builtIn: Promise<Pieces> | undefined;
  readonly #custom = new WeakMap<ResourceInfo, Pieces>();

  constructor(
    registry: ResourceRegistry,
    aggregation: Pick<Aggregation, 'documents'>,
    { folder = BESIDE_BUNDLE, now }: { readonly folder?: string; readonly now: () => number },
  ) {
    this.#folder = folder;
    this.#registry = registry;
    this.#aggregation = aggregation;
    this.#now = now;
    this.#startedMs = now();
  }

  async v2(): Promise<OpenApiDocument> {
    const infos = this.#registry.all();
    const remotes = this.#aggregation
      .documents()
      .flatMap(({ openApiV2, version }) =>
        openApiV2 === undefined ? [] : [{ openApiV2, version }],
      );
    const made =
      remotes.length > 0 || infos.some(isCustom)
        ? undefined
        : this.#read(OPEN_API_V2, this.#madeV2);
    if (made !== undefined) return made;
    const sources = [...infos, ...remotes.map(({ openApiV2 }) => openApiV2)];
    return await this.#keep(OPEN_API_V2, sources, async () => {
      const pieces = await this.#piecesV2(infos);
      for (const { openApiV2, version } of remotes) mergeOpenApiV2(pieces, openApiV2, version);
      return await this.#document(pieces, 'v2');
    });
  }

  async v3Index(): Promise<Buffer> {
    const hashes = new Map<string, string>();
    const served = this.#served();
    const paths = new Set([OPEN_API_V2, ...served.map(({ path }) => path)]);
    for (const path of this.#kept.keys()) if (!paths.has(path)) this.#kept.delete(path);
    for (const place of served) {
      const made = this.#isMade(place) ? this.#known[place.path] : undefined;
      hashes.set(place.path, made?.hash ?? (await this.#v3(place)).hash);
    }
    const index = openApiV3Index(hashes) as { paths: Record<string, unknown> };
    for (const { openApiV3Url: serverRelativeURL, version } of this.#aggregation.documents()) {
      if (serverRelativeURL !== undefined)
        index.paths[openApiPath(version)] = { serverRelativeURL };
    }
    return Buffer.from(JSON.stringify({ paths: sorted(index.paths) }));
  }

  /** `path`: as in openApiPaths(). */
  async v3(path: string): Promise<OpenApiDocument | undefined> {
    const place = this.#served().find((one) => one.path === path);
    if (place === undefined) return undefined;
    const made = this.#isMade(place) ? this.#read(path, protobufV3) : undefined;
    return made ?? (await this.#v3(place));
  }

  async #v3(place: Place): Promise<OpenApiDocument> {
    const { path, of } = place;
    const infos = this.#of(place);
    return await this.#keep(path, infos, async () => {
      const isOwn = of !== undefined && infos.every(isCustom);
      const form = {
        isV3: true,
        descriptions: this.#texts,
        scope: isOwn ? 'custom' : (of ?? 'everything'),
        ...(isOwn ? {} : { server: { groups: builtInGroups, path } }),
      } as const;
      const pieces = await inTurns(piecesOf(infos, form));
      return await this.#document(pieces, isOwn ? 'custom v3' : 'v3');
    });
  }

  /** Made once for all who ask meanwhile. */
  async #keep(
    path: string,
    sources: readonly unknown[],
    make: () => Promise<OpenApiDocument>,
  ): Promise<OpenApiDocument> {
    const kept = this.#kept.get(path);
    if (kept !== undefined && isSame(kept.sources, sources)) return await kept.document;
    const document = make();
    this.#kept.set(path, { sources, document });
    document.catch(() => {
      if (this.#kept.get(path)?.document === document) this.#kept.delete(path);
    });
    return await document;
  }

  async #document(pieces: Pieces, head: DocumentHead): Promise<OpenApiDocument> {
    const bytes = await inTurns(jsonDocument(pieces, head));
    const hash = await hashInTurns(bytes);
    let message: Promise<Buffer> | undefined;
    const protobuf = (): Promise<Buffer> =>
      (message ??= head === 'v2' ? encodedV2(pieces) : protobufV3(bytes));
    return { bytes, hash, modifiedMs: this.#now(), protobuf };
  }

  async #piecesV2(infos: readonly ResourceInfo[]): Promise<Pieces> {
    const form = { isV3: false, descriptions: this.#texts, scope: 'everything' } as const;
    const builtIn = infos.filter((one) => !isCustom(one));
    const server = { groups: builtInGroups };
    this.#builtIn ??= inTurns(piecesOf(builtIn, { ...form, server }));
    const own = await this.#builtIn;
    const all = {
      paths: new Map(own.paths),
      definitions: new Map(own.definitions),
      parameters: new Map(own.parameters),
    };
    for (const info of infos.filter(isCustom)) {
      let pieces = this.#custom.get(info);
      if (pieces === undefined) {
        pieces = noPieces();
        const { paths, definitions } = await inTurns(piecesOf([info], form));
        for (const [path, text] of paths) pieces.paths.set(path, text);
        for (const [name, text] of definitions) {
          if (!own.definitions.has(name)) pieces.definitions.set(name, text);
        }
        this.#custom.set(info, pieces);
      }
      for (const [path, text] of pieces.paths) all.paths.set(path, text);
      for (const [name, text] of pieces.definitions) all.definitions.set(name, text);
    }
    return all;
  }

  #served(): readonly Place[] {
    const ofVersions = groupsOf(this.#registry).flatMap(({ group, versions }) =>
      versions.map((version): Place => {
        const of = { group, version };
        return { path: openApiPath(of), of };
      }),
    );
    return [...serverPlaces, ...ofVersions].toSorted((a, b) => (a.path < b.path ? -1 : 1));
  }

  #of({ of }: Place): readonly ResourceInfo[] {
    if (of === undefined) return [];
    return this.#registry
      .all()
      .filter((one) => one.group === of.group && one.version === of.version);
  }

  get #texts(): Descriptions {
    this.#descriptions ??= loadDescriptions();
    return this.#descriptions;
  }

  get #known(): MadeDocuments {
    this.#made ??= loadMade(this.#folder);
    return this.#made;
  }

  /** Whether the document that was made before says all: custom kinds may be in any group. */
  #isMade(place: Place): boolean {
    return this.#known[place.path] !== undefined && !this.#of(place).some(isCustom);
  }

  readonly #madeV2 = (bytes: Buffer): Promise<Buffer> =>
    encodedV2(piecesOfV2(JSON.parse(bytes.toString()) as Json));

  #read(path: string, encode: (bytes: Buffer) => Promise<Buffer>): OpenApiDocument | undefined {
    const entry = this.#known[path];
    if (entry === undefined) return undefined;
    const file = join(this.#folder, fileOf(path));
    const bytes = readFileSync(file);
    const packed = entry.isPacked ? readFileSync(`${file}.gz`) : undefined;
    const { hash } = entry;
    return { bytes, packed, hash, modifiedMs: this.#startedMs, protobuf: () => encode(bytes) };
  }
}

async function encodedV2(pieces: Pieces): Promise<Buffer> {
  const { encodeEntryV2 } = await import('#kube/openapi/gnostic-v2.ts');
  return await inTurns(protobufV2(pieces, encodeEntryV2));
}
