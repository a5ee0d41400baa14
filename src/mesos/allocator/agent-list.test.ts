// Lists and tables by dense numbers against what they stand for: a Set, a set of pairs, a sorted copy.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AgentList } from './agent-list.ts';
import { BitTable } from './bit-table.ts';
import type { Agent } from './decisions.ts';
import { comesBefore, move, whereIs, type Ranked } from './role-order.ts';

const steps = fc.array(
  fc.record({ does: fc.constantFrom('add', 'add', 'delete', 'take'), index: fc.nat(300) }),
  { maxLength: 600, size: 'max' },
);

test('AgentList keeps agents once, in the order in which they came, as a Set does', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const agents = Array.from({ length: 301 }, (_, index) => ({ index }) as Agent);
      const [list, twin] = [new AgentList(), new Set<Agent>()];
      for (const { does, index } of all) {
        const agent = agents[index] as Agent;
        if (does === 'add') {
          list.add(agent);
          twin.add(agent);
        } else if (does === 'delete') {
          list.delete(agent);
          twin.delete(agent);
        } else if (index < 10) {
          assert.deepEqual(list.takeAll(), [...twin]);
          twin.clear();
        }
        assert.equal(list.has(agent), twin.has(agent));
        assert.equal(list.size, twin.size);
      }
      assert.deepEqual(list.all(), [...twin]);
    }),
  );
});

test('AgentList tells an agent from the one that had its number before', () => {
  const [former, now] = [{ index: 3 }, { index: 3 }] as [Agent, Agent];
  const list = new AgentList();
  list.add(now);
  assert.equal(list.has(former), false);
  list.delete(former);
  assert.deepEqual(list.all(), [now]);
});

test('BitTable holds pairs, however far it has grown', () => {
  const pair = fc.record({ does: fc.nat(10), row: fc.nat(200), column: fc.nat(200) });
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 300 }), (all) => {
      const [table, twin] = [new BitTable(), new Set<string>()];
      for (const { does, row, column } of all) {
        if (does < 7) {
          table.set(row, column);
          twin.add(`${row} ${column}`);
        } else if (does < 9) {
          table.unset(row, column);
          twin.delete(`${row} ${column}`);
        } else if (does < 10) {
          table.clearRow(row);
          for (const one of twin) if (one.startsWith(`${row} `)) twin.delete(one);
        } else {
          table.clearOdd(row);
          for (let odd = 1; odd <= 200; odd += 2) twin.delete(`${row} ${odd}`);
        }
      }
      for (const { row, column } of all) {
        assert.equal(table.has(row, column), twin.has(`${row} ${column}`));
        assert.equal(table.has(column, row), twin.has(`${column} ${row}`));
      }
    }),
  );
});

test('move() puts one whose share or count has changed where sorting would', () => {
  const ranked = fc.record({ share: fc.nat(5), count: fc.nat(2) });
  const lists = fc.array(ranked, { minLength: 1, maxLength: 200, size: 'max' });
  fc.assert(
    fc.property(lists, fc.nat(), ranked, (all, which, changed) => {
      const order = (a: Ranked, b: Ranked): number => (comesBefore(a, b) ? -1 : 1);
      const list = all.map((one, i) => ({ ...one, path: `${i}` }) as Ranked).toSorted(order);
      const one = list[which % list.length] as Ranked;
      const at = whereIs(list, one);
      assert.equal(list[at], one);
      Object.assign(one, changed);
      move(list, at);
      assert.deepEqual(list, list.toSorted(order));
    }),
  );
});
