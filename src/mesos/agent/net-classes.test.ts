// Classes of containers' packets: what the flags say, one class each, known to the next life.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimDisk } from '#env/sim/disk.ts';
import { NetClasses, primaryHandle, secondaryHandles } from './net-classes.ts';

test('handles are read as Mesos reads them', () => {
  assert.equal(primaryHandle(''), undefined);
  assert.equal(primaryHandle('0x12'), 0x12);
  assert.equal(primaryHandle('18'), 18);
  assert.equal(primaryHandle('010'), 8);
  assert.throws(() => primaryHandle('0x10000'), /is no handle of 16 bits/);
  assert.throws(() => primaryHandle('x'), /is no handle of 16 bits/);
  assert.deepEqual(secondaryHandles(''), { begin: 1, end: 0xffff });
  assert.deepEqual(secondaryHandles('0xa,0xf'), { begin: 10, end: 15 });
  assert.throws(() => secondaryHandles('0,5'), /has to be a non-zero value/);
  assert.throws(() => secondaryHandles('7,5'), /is an empty range/);
  assert.throws(() => secondaryHandles('7'), /is no range of two handles/);
});

test('each container has one, which what is below it shares, until it ends', async () => {
  const flags = { primary: 0x12, secondaries: { begin: 1, end: 2 } };
  const disk = new SimDisk();
  const classes = new NetClasses(flags, '/w/run/net-classes.json', disk);
  await Promise.all([classes.take('a'), classes.take('b'), classes.take('a')]);
  assert.deepEqual([classes.of('a'), classes.of('b.task')], [0x120001, 0x120002]);
  await assert.rejects(classes.take('c'), /No free handles remaining for primary handle 0x12/);
  await classes.give('a');
  await classes.take('c');
  assert.deepEqual([classes.of('a'), classes.of('c')], [undefined, 0x120001]);
  const next = new NetClasses(flags, '/w/run/net-classes.json', disk);
  await next.recover((id) => id === 'b');
  assert.deepEqual([next.of('b'), next.of('c')], [0x120002, undefined]);
});

test('without a primary handle nobody has one', async () => {
  const flags = { primary: undefined, secondaries: secondaryHandles('') };
  const classes = new NetClasses(flags, '/w/run/net-classes.json', new SimDisk());
  await classes.take('a');
  assert.equal(classes.of('a'), undefined);
});
