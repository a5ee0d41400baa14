// OpenAPI documents in pieces: the texts of their paths and definitions, made a few at a time, so that no other
// request waits for a large document; a document is put together out of the pieces, as JSON or as protobuf.
import { bytesPart, message } from '#kube/types/protobuf-parts.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import type { GroupVersions } from './discovery.ts';
import {
  addResource,
  DefinitionWriter,
  headOf,
  security,
  securityDefinitions,
  sharedV2,
} from './documents.ts';
import type { Scope } from './known-versions.ts';
import { serverPaths } from './server-paths.ts';
import type { Descriptions } from './texts.ts';

type Json = Record<string, unknown>;

/** JSON texts: of each path its item, of each name its definition, or what is shared in OpenAPI v2. */
export interface Pieces {
  readonly paths: Map<string, string>;
  readonly definitions: Map<string, string>;
  readonly parameters: Map<string, string>;
}

export interface PiecesForm {
  readonly isV3: boolean;
  readonly descriptions: Descriptions;
  readonly scope: Scope;
  /** Whose discovery is described, too: all of it, or of one document of OpenAPI v3. */
  readonly server?: { readonly groups: readonly GroupVersions[]; readonly path?: string };
}

/** Characters that are written, or bytes that are read, before others have their turn: about a millisecond. */
const TURN_LENGTH = 65_536;

/** Yields whenever others should have their turn. */
export type Sliced<T> = Generator<undefined, T, undefined>;

export const noPieces = (): Pieces => ({
  paths: new Map(),
  definitions: new Map(),
  parameters: new Map(),
});

function* textsOf(
  values: Readonly<Record<string, unknown>>,
  to: Map<string, string>,
): Sliced<void> {
  let length = 0;
  for (const [name, value] of Object.entries(values)) {
    const text = JSON.stringify(value);
    to.set(name, text);
    length += text.length;
    if (length < TURN_LENGTH) continue;
    length = 0;
    yield;
  }
}

/** Of several kinds that may share definitions. */
export function* piecesOf(
  infos: readonly ResourceInfo[],
  { isV3, descriptions, scope, server }: PiecesForm,
): Sliced<Pieces> {
  const writer = new DefinitionWriter(isV3, descriptions, scope);
  const pieces = noPieces();
  if (server !== undefined) {
    yield* textsOf(serverPaths(server.groups, writer, server.path), pieces.paths);
  }
  for (const info of infos) {
    yield* textsOf(addResource(writer, info), pieces.paths);
    yield;
  }
  yield* textsOf(writer.definitions, pieces.definitions);
  if (!isV3) yield* textsOf(sharedV2(writer.texts), pieces.parameters);
  return pieces;
}

function* joined(parts: Iterable<string>): Sliced<Buffer> {
  const buffers: Buffer[] = [];
  let texts: string[] = [];
  let length = 0;
  for (const part of parts) {
    texts.push(part);
    length += part.length;
    if (length < TURN_LENGTH) continue;
    buffers.push(Buffer.from(texts.join('')));
    [texts, length] = [[], 0];
    yield;
  }
  buffers.push(Buffer.from(texts.join('')));
  return Buffer.concat(buffers);
}

function* members(texts: ReadonlyMap<string, string>): Iterable<string> {
  let before = '';
  for (const [name, text] of texts) {
    yield `${before}${JSON.stringify(name)}:${text}`;
    before = ',';
  }
}

/** What a document has beside its pieces. */
export type DocumentHead = 'v2' | 'v3' | 'custom v3';

const head = (isCustom: boolean): string => `"info":${JSON.stringify(headOf(isCustom))},"paths":{`;
const own = JSON.stringify(securityDefinitions);

function* jsonParts(pieces: Pieces, kind: DocumentHead): Iterable<string> {
  const paths = byName(pieces.paths);
  const definitions = byName(pieces.definitions);
  const isCustom = kind === 'custom v3';
  if (kind === 'v2') {
    yield `{"swagger":"2.0",${head(false)}`;
    yield* members(paths);
    yield '},"definitions":{';
    yield* members(definitions);
    yield '},"parameters":{';
    yield* members(pieces.parameters);
    yield `},"securityDefinitions":${own},"security":${JSON.stringify(security)}}`;
    return;
  }
  yield `{"openapi":"3.0.0",${head(isCustom)}`;
  yield* members(paths);
  yield '},"components":{';
  if (definitions.size > 0) yield '"schemas":{';
  yield* members(definitions);
  if (definitions.size > 0) yield isCustom ? '}' : '},';
  yield isCustom ? '}}' : `"securitySchemes":${own}}}`;
}

function byName(texts: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...texts].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

export function* jsonDocument(pieces: Pieces, kind: DocumentHead): Sliced<Buffer> {
  return yield* joined(jsonParts(pieces, kind));
}

type EncodePair = (shape: string, name: string, value: unknown) => Uint8Array;

function* pairs(
  texts: ReadonlyMap<string, string>,
  encode: (name: string, value: unknown) => Uint8Array,
): Sliced<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (const [name, text] of texts) {
    parts.push(encode(name, JSON.parse(text)));
    length += text.length;
    if (length < TURN_LENGTH) continue;
    length = 0;
    yield;
  }
  return Buffer.concat(parts);
}

/** OpenAPI v2 alone: there is one document, and it is large. */
export function* protobufV2(pieces: Pieces, encode: EncodePair): Sliced<Buffer> {
  const start = message(bytesPart(1, Buffer.from('2.0')), bytesPart(2, infoMessage));
  const of = (shape: string, texts: ReadonlyMap<string, string>): Sliced<Buffer> =>
    pairs(texts, (name, value) => encode(shape, name, value));
  const paths = yield* of('Paths', byName(pieces.paths));
  const definitions = yield* of('Schemas', byName(pieces.definitions));
  const parameters = yield* of('Parameters', pieces.parameters);
  const access = security.map((one) => bytesPart(12, encodeAll(encode, 'Security', one)));
  const known = encodeAll(encode, 'SecurityDefinitions', securityDefinitions);
  return message(
    start,
    bytesPart(8, paths),
    bytesPart(9, definitions),
    bytesPart(10, parameters),
    ...access,
    bytesPart(13, known),
  );
}

function encodeAll(encode: EncodePair, shape: string, all: Json): Uint8Array {
  return Buffer.concat(Object.entries(all).map(([name, one]) => encode(shape, name, one)));
}

const infoMessage = message(
  bytesPart(1, Buffer.from(headOf(false).title)),
  bytesPart(2, Buffer.from(headOf(false).version)),
);

/** Of a document that was made before. */
export function piecesOfV2(document: Json): Pieces {
  const texts = (values: unknown): Map<string, string> =>
    new Map(
      Object.entries((values ?? {}) as Json).map(([name, one]) => [name, JSON.stringify(one)]),
    );
  return {
    paths: texts(document['paths']),
    definitions: texts(document['definitions']),
    parameters: texts(document['parameters']),
  };
}

/** Carries the work out, with turns for others. */
export async function inTurns<T>(work: Sliced<T>): Promise<T> {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    await new Promise((done) => setImmediate(done));
  }
}
