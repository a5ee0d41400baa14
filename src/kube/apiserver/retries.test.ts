// Many who change one thing at once: all get through, and few tries are made in vain.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { Retries } from './retries.ts';

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
  const [retries, cell, other] = [new Retries(), new Cell(), new Cell()];
  const changes = Array.from({ length: 100 }, () => retries.until(place, 'a', () => cell.add()));
  const apart = retries.until(place, 'b', () => other.add());
  const found = await Promise.all(changes);
  assert.deepEqual(new Set(found).size, 100);
  assert.equal(cell.value, 100);
  assert.ok(cell.tries <= 400, `${cell.tries} tries`);
  assert.equal(await apart, 1);
});

test('a failure is told, and does not stop those behind it', async () => {
  const retries = new Retries();
  let asked = 0;
  const fail = async (): Promise<undefined> => {
    asked += 1;
    if (asked > 2) throw new Error('no');
  };
  const failing = retries.until(place, 'a', fail);
  const behind = retries.until(place, 'a', async () => (asked >= 3 ? 'done' : undefined));
  await assert.rejects(failing, /no/);
  assert.equal(await behind, 'done');
});

test('what never comes is given up', async () => {
  await assert.rejects(
    new Retries().until(place, 'a', async () => undefined),
    /has been modified/,
  );
});
