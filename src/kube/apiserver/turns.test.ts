// Many who change one thing at once: all get through, and few tries are made in vain.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { Turns } from './turns.ts';

const place = {
  info: new TypeRegistry().byResource('', 'v1', 'secrets') as ResourceInfo,
  namespace: 'default',
};

/** Compares and writes, as a store does; tells how often it was asked. */
class Cell {
  value = 0;
  tries = 0;

  async add(): Promise<number | undefined> {
    this.tries += 1;
    const { value } = this;
    await turn();
    if (this.value !== value) return undefined;
    this.value = value + 1;
    return this.value;
  }
}

test('a hundred at once come to an end with hundreds of tries, not thousands', async () => {
  const [turns, cell, other] = [new Turns(), new Cell(), new Cell()];
  const changes = Array.from({ length: 100 }, () => turns.until(place, 'a', () => cell.add()));
  const apart = turns.until(place, 'b', () => other.add());
  const found = await Promise.all(changes);
  assert.deepEqual(new Set(found).size, 100);
  assert.equal(cell.value, 100);
  assert.ok(cell.tries <= 400, `${cell.tries} tries`);
  assert.equal(await apart, 1);
});

test('a failure is told, and does not stop those behind it', async () => {
  const turns = new Turns();
  let asked = 0;
  const fail = async (): Promise<undefined> => {
    asked += 1;
    if (asked > 2) throw new Error('no');
  };
  const failing = turns.until(place, 'a', fail);
  const behind = turns.until(place, 'a', async () => (asked >= 3 ? 'done' : undefined));
  await assert.rejects(failing, /no/);
  assert.equal(await behind, 'done');
});

test('what never comes is given up', async () => {
  await assert.rejects(
    new Turns().until(place, 'a', async () => undefined),
    /has been modified/,
  );
});
