// A group sends to its streams and to nobody else, whoever comes, goes, waits, or has no window left.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StreamGroup, type GroupOwner } from './stream-group.ts';
import { StreamTable } from './stream-table.ts';

interface Stream {
  readonly id: number;
  readonly slot: number;
  window: number;
  isClear: boolean;
  isOpen: boolean;
  isMember: boolean;
}

const step = fc.record({
  what: fc.constantFrom('open', 'join', 'leave', 'close', 'wait', 'go on', 'widen', 'send'),
  which: fc.nat(40),
  bytes: fc.integer({ min: 1, max: 300 }),
});

test('each member is sent the bytes, or named', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.nat(20), (steps, room) => {
      const table = new StreamTable();
      const shared: number[] = [];
      const owner: GroupOwner = {
        table,
        room: () => room,
        share: (ids) => void shared.push(...ids),
      };
      const group = new StreamGroup<Stream>(owner);
      const streams: Stream[] = [];
      for (const { what, which, bytes } of steps) {
        const one = streams[which % Math.max(1, streams.length)];
        if (what === 'open') {
          const id = streams.length * 2 + 1;
          const slot = table.take(id, bytes);
          const state = { window: bytes, isClear: true, isOpen: true, isMember: false };
          streams.push({ id, slot, ...state });
        } else if (what === 'send') {
          shared.splice(0);
          const left = group.send(Buffer.alloc(bytes));
          const members = streams.filter(({ isMember }) => isMember);
          assert.ok(shared.length <= room);
          const reached = [...shared, ...left.map(({ id }) => id)];
          const inOrder = (ids: readonly number[]): number[] => ids.toSorted((a, b) => a - b);
          assert.deepEqual(
            inOrder(reached),
            members.map(({ id }) => id),
          );
          for (const member of members) {
            const isSent = shared.includes(member.id);
            const may = member.isOpen && member.isClear && member.window >= bytes;
            if (isSent) {
              assert.ok(may);
              member.window -= bytes;
            } else assert.ok(!may || shared.length === room);
            if (member.isOpen) assert.equal(table.window(member.slot), member.window);
          }
        } else if (one !== undefined) {
          change(what, one, bytes, { table, group });
        }
      }
    }),
  );
});

function change(
  what: string,
  one: Stream,
  bytes: number,
  { table, group }: { table: StreamTable; group: StreamGroup<Stream> },
): void {
  if (what === 'join' && one.isOpen && !one.isMember) {
    group.add({ id: one.id, slot: one.slot, owner: { table, room: () => 0, share() {} } }, one);
    one.isMember = true;
  } else if (what === 'leave') {
    group.delete(one);
    one.isMember = false;
  } else if (!one.isOpen) return;
  // It may be a member for a while longer: its slot is another's.
  else if (what === 'close') {
    table.giveBack(one.slot);
    one.isOpen = false;
  } else if (what === 'widen') {
    one.window += bytes;
    table.setWindow(one.slot, one.window);
  } else if (what === 'wait' || what === 'go on') {
    one.isClear = what === 'go on';
    table.setClear(one.slot, one.isClear);
  }
}
