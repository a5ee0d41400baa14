// Streams of one connection that are sent the same bytes: one call for all of them, and no object of any of them.
import type { StreamTable } from './stream-table.ts';

/** What a group needs of the connection. */
export interface GroupOwner {
  readonly table: StreamTable;
  /** How many streams may be sent a frame of so many bytes with the next write. */
  room(length: number): number;
  /** The bytes are a frame of each of the streams in the next write; no more of them than there was room for. */
  share(streamIds: readonly number[], bytes: Buffer): void;
}

/** A stream whose answer's head has been sent. */
export interface GroupedStream {
  readonly id: number;
  /** Of the connection's table. */
  readonly slot: number;
  readonly owner: GroupOwner;
}

/** `Member`: what the caller knows the streams by. */
export class StreamGroup<Member> {
  readonly #owner: GroupOwner;
  readonly #ids: number[] = [];
  readonly #slots: number[] = [];
  readonly #members: Member[] = [];
  readonly #places = new Map<Member, number>();

  constructor(owner: GroupOwner) {
    this.#owner = owner;
  }

  add(stream: GroupedStream, member: Member): void {
    this.#places.set(member, this.#members.length);
    this.#members.push(member);
    this.#ids.push(stream.id);
    this.#slots.push(stream.slot);
  }

  /** The last one takes its place. */
  delete(member: Member): void {
    const place = this.#places.get(member);
    if (place === undefined) return;
    this.#places.delete(member);
    const [id, slot, last] = [this.#ids.pop(), this.#slots.pop(), this.#members.pop()];
    if (last === undefined || last === member) return;
    this.#ids[place] = id as number;
    this.#slots[place] = slot as number;
    this.#members[place] = last;
    this.#places.set(last, place);
  }

  /**
   * Sends the bytes with the connection's next write. Returns those that have not been sent them: something waits
   * before them, or a window is too small.
   */
  send(bytes: Buffer): readonly Member[] {
    const { table } = this.#owner;
    const room = this.#owner.room(bytes.length);
    const sent: number[] = [];
    const left: Member[] = [];
    for (let place = 0; place < this.#ids.length; place += 1) {
      const [id, slot] = [this.#ids[place] as number, this.#slots[place] as number];
      if (sent.length < room && table.spend(slot, id, bytes.length)) sent.push(id);
      else left.push(this.#members[place] as Member);
    }
    if (sent.length > 0) this.#owner.share(sent, bytes);
    return left;
  }
}
