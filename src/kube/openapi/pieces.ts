// OpenAPI documents in pieces: the texts of their paths and definitions, made a few at a time, so that no other
// request waits for a large document; a document is put together out of the pieces, as JSON or as protobuf.
import { bytesPart, message } from '#kube/types/protobuf-parts.ts';
import { typeSchema } from '#kube/types/registry.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import {
  addResource,
  clientTypes,
  DefinitionWriter,
  documentInfo,
  type Descriptions,
} from './documents.ts';

type Json = Record<string, unknown>;

/** JSON texts: of each path its item, of each name its definition. */
export interface Pieces {
  readonly paths: Map<string, string>;
  readonly definitions: Map<string, string>;
}

export interface PiecesForm {
  readonly isV3: boolean;
  readonly descriptions: Descriptions;
}

/** Characters that are written, or bytes that are read, before others have their turn: about a millisecond. */
const TURN_LENGTH = 65_536;

/** Yields whenever others should have their turn. */
export type Sliced<T> = Generator<undefined, T, undefined>;

export const noPieces = (): Pieces => ({ paths: new Map(), definitions: new Map() });

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
  { isV3, descriptions }: PiecesForm,
): Sliced<Pieces> {
  const writer = new DefinitionWriter(isV3, descriptions);
  const pieces = noPieces();
  for (const info of infos) {
    yield* textsOf(addResource(writer, info, isV3), pieces.paths);
    yield;
  }
  for (const name of clientTypes) writer.ref(typeSchema(name));
  yield* textsOf(writer.definitions, pieces.definitions);
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

const info = JSON.stringify(documentInfo);

function* jsonParts({ paths, definitions }: Pieces, isV3: boolean): Iterable<string> {
  yield isV3 ? `{"openapi":"3.0.0","info":${info}` : `{"swagger":"2.0","info":${info}`;
  yield ',"paths":{';
  yield* members(paths);
  yield isV3 ? '},"components":{"schemas":{' : '},"definitions":{';
  yield* members(definitions);
  yield isV3 ? '}}}' : '}}';
}

export function* jsonDocument(pieces: Pieces, isV3: boolean): Sliced<Buffer> {
  return yield* joined(jsonParts(pieces, isV3));
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
export function* protobufV2({ paths, definitions }: Pieces, encode: EncodePair): Sliced<Buffer> {
  const head = message(bytesPart(1, Buffer.from('2.0')), bytesPart(2, infoMessage));
  const ofPaths = yield* pairs(paths, (name, value) => encode('Paths', name, value));
  const ofTypes = yield* pairs(definitions, (name, value) => encode('Schemas', name, value));
  return message(head, bytesPart(8, ofPaths), bytesPart(9, ofTypes));
}

const infoMessage = message(
  bytesPart(1, Buffer.from(documentInfo.title)),
  bytesPart(2, Buffer.from(documentInfo.version)),
);

/** Of a document that was made before. */
export function piecesOfV2(document: Json): Pieces {
  const texts = (values: unknown): Map<string, string> =>
    new Map(Object.entries(values as Json).map(([name, one]) => [name, JSON.stringify(one)]));
  return { paths: texts(document['paths']), definitions: texts(document['definitions']) };
}

/** Carries the work out, with turns for others. */
export async function inTurns<T>(work: Sliced<T>): Promise<T> {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    await new Promise((done) => setImmediate(done));
  }
}
