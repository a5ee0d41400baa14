// Long lists, piece by piece: nothing of their size is ever made in memory, and what was packed once is kept, block of
// objects by block, until one of its objects changes. Where a block ends is decided by the objects in it, so that
// one that comes or goes concerns its own block only.
import { constants, crc32, deflateRaw } from 'node:zlib';
import { apiVersionOf } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { listEnds, listItems } from '#kube/types/protobuf.ts';
import type { KeyValue } from '#store/store.ts';
import { joinedCrc, shiftOf } from './crc32-joined.ts';
import { listHead, listMetadata, type Listed } from './lists.ts';
import { hasProtobuf, jsonItems, protobufText } from './object-store.ts';
import type { PieceBuffers } from './piece-buffers.ts';

/** So many bits of a hash of a block's last object are zero by chance: 128 objects on average. */
const BLOCK_BITS = 7;
const BLOCK_ITEMS_MAX = 512;
const BLOCK_BYTES_MAX = 512 * 1024;
/** Of what is not packed, and so not kept. */
const PLAIN_BYTES_MAX = 192 * 1024;
/** Blocks that are packed at once, in other threads. */
const AHEAD = 6;
/** Objects that are encoded before others have a turn. */
const TURN_ITEMS = 512;

/** Objects of a list that follow each other, from one place to before another. */
interface Block {
  readonly from: number;
  readonly to: number;
}

export interface ListForm {
  readonly media: 'json' | 'protobuf';
  readonly before: Buffer;
  readonly after: Buffer;
  /** Of the object at that place of the list. */
  sizeOf(index: number): number;
  /** Between two blocks. */
  readonly separator: Buffer;
  /** The objects of one block of the list, behind other bytes. */
  block(block: Block, before: Buffer, allocate?: (size: number) => Buffer): Buffer;
}

const nothing = Buffer.alloc(0);

export function jsonForm(info: ResourceInfo, listed: Listed): ListForm {
  return {
    media: 'json',
    before: listHead(info, listed),
    after: Buffer.from(']}\n'),
    separator: Buffer.from(','),
    sizeOf: (index) => (listed.items[index] as KeyValue).value.length,
    block: ({ from, to }, before, allocate) =>
      jsonItems(info, listed.items.slice(from, to), before, '', allocate),
  };
}

/** undefined when the kind has no message. What was never encoded is now, with turns for others between. */
export async function protobufForm(
  info: ResourceInfo,
  listed: Listed,
): Promise<ListForm | undefined> {
  // Held until they are sent: another version of the resource may take their place meanwhile.
  const messages: string[] = [];
  let made = 0;
  for (const kv of listed.items) {
    if (!hasProtobuf(info, kv)) made += 1;
    const message = protobufText(info, kv);
    if (message === undefined) return undefined;
    messages.push(message);
    if (made < TURN_ITEMS) continue;
    made = 0;
    await new Promise((done) => setImmediate(done));
  }
  const { listKind: kind } = info;
  const list = { apiVersion: apiVersionOf(info), kind, metadata: listMetadata(listed) };
  const { before, after } = listEnds(list, messages);
  return {
    media: 'protobuf',
    before,
    after,
    separator: nothing,
    sizeOf: (index) => (messages[index] as string).length,
    block: ({ from, to }, head, allocate) => listItems(messages.slice(from, to), head, allocate),
  };
}

function isLastOfBlock({ createRevision }: KeyValue): boolean {
  return Math.imul(createRevision, 0x9e37_79b1) >>> (32 - BLOCK_BITS) === 0;
}

function* blocksOf(items: readonly KeyValue[]): Generator<Block> {
  let from = 0;
  let bytes = 0;
  for (let i = 0; i < items.length; i++) {
    const kv = items[i] as KeyValue;
    bytes += kv.value.length;
    const to = i + 1;
    const isFull = to - from >= BLOCK_ITEMS_MAX || bytes >= BLOCK_BYTES_MAX;
    if (!isFull && !isLastOfBlock(kv) && to < items.length) continue;
    yield { from, to };
    from = to;
    bytes = 0;
  }
}

/** As long as their buffers (piece-buffers.ts) have room for, but for what the form adds; one object at least. */
function* evenBlocks(form: ListForm, count: number): Generator<Block> {
  let from = 0;
  let bytes = 0;
  for (let to = 0; to < count; to++) {
    const size = form.sizeOf(to);
    if (to > from && bytes + size > PLAIN_BYTES_MAX) {
      yield { from, to };
      from = to;
      bytes = 0;
    }
    bytes += size;
  }
  if (from < count) yield { from, to: count };
}

/** The whole list, as it is. Whoever has written a piece gives it back to the buffers. */
export function* plainPieces(
  form: ListForm,
  items: readonly KeyValue[],
  buffers: PieceBuffers,
): Generator<Buffer> {
  const allocate = (size: number): Buffer => buffers.take(size);
  let { before } = form;
  for (const block of evenBlocks(form, items.length)) {
    yield form.block(block, before, allocate);
    before = form.separator;
  }
  if (before === form.before) yield before;
  yield form.after;
}

// ---- packed ----

/** Part of one deflate stream: it ends at a byte, and its successor does not look back into it. */
interface Packed {
  readonly bytes: Buffer;
  readonly crc: number;
  readonly size: number;
  readonly shift: number;
}

const options = { level: 1, finishFlush: constants.Z_SYNC_FLUSH };

function pack(plain: Buffer): Promise<Packed> {
  const size = plain.length;
  const facts = { crc: crc32(plain), size, shift: shiftOf(size) };
  return new Promise((done, fail) => {
    deflateRaw(plain, options, (error, bytes) => {
      if (error !== null) return fail(error);
      done({ bytes, ...facts });
    });
  });
}

interface Kept {
  readonly info: ResourceInfo;
  /** Versions of the objects of the block. */
  readonly revisions: readonly number[];
  readonly packed: Packed;
}

/** By the first object of each block. */
const kept = {
  json: new WeakMap<KeyValue, Kept>(),
  protobuf: new WeakMap<KeyValue, Kept>(),
};

function packedBlock(
  info: ResourceInfo,
  form: ListForm,
  items: readonly KeyValue[],
  block: Block,
): Packed | Promise<Packed> {
  const inBlock = items.slice(block.from, block.to);
  const first = inBlock[0] as KeyValue;
  const there = kept[form.media].get(first);
  const isSame =
    there?.info === info &&
    there.revisions.length === inBlock.length &&
    inBlock.every(({ modRevision }, i) => there.revisions[i] === modRevision);
  if (isSame) return there.packed;
  return pack(form.block(block, nothing)).then((packed) => {
    const revisions = inBlock.map(({ modRevision }) => modRevision);
    kept[form.media].set(first, { info, revisions, packed });
    return packed;
  });
}

function* packedParts(
  info: ResourceInfo,
  form: ListForm,
  items: readonly KeyValue[],
): Generator<Packed | Promise<Packed>> {
  yield pack(form.before);
  const separator = form.separator.length === 0 ? undefined : pack(form.separator);
  let isFirst = true;
  for (const block of blocksOf(items)) {
    if (!isFirst && separator !== undefined) yield separator;
    isFirst = false;
    yield packedBlock(info, form, items, block);
  }
  yield pack(form.after);
}

/** Magic, deflate, no name, no time, the fastest method, an unknown system. */
const GZIP_HEAD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]);
/** A last block with nothing in it. */
const LAST_BLOCK = [3, 0];

/** The whole list as one gzip member; rejects when packing fails. */
export async function* packedPieces(
  info: ResourceInfo,
  form: ListForm,
  items: readonly KeyValue[],
): AsyncGenerator<Buffer> {
  yield GZIP_HEAD;
  let [crc, size] = [0, 0];
  for await (const { bytes, ...part } of inOrder(packedParts(info, form, items))) {
    crc = joinedCrc(crc, part.crc, part.shift);
    size += part.size;
    yield bytes;
  }
  const tail = Buffer.from([...LAST_BLOCK, 0, 0, 0, 0, 0, 0, 0, 0]);
  tail.writeUInt32LE(crc, LAST_BLOCK.length);
  tail.writeUInt32LE(size % 2 ** 32, LAST_BLOCK.length + 4);
  yield tail;
}

/** A few of them under way at once. */
async function* inOrder(parts: Iterator<Packed | Promise<Packed>>): AsyncGenerator<Packed> {
  const ahead: (Packed | Promise<Packed>)[] = [];
  for (;;) {
    while (ahead.length < AHEAD) {
      const { value, done } = parts.next();
      if (done === true) break;
      // Whoever takes it hears of its failure; those after it are never taken then.
      if (value instanceof Promise) value.catch(() => {});
      ahead.push(value as Packed | Promise<Packed>);
    }
    const next = ahead.shift();
    if (next === undefined) return;
    yield next instanceof Promise ? await next : next;
  }
}
