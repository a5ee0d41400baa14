// GPUs are given whole, once, and come back; a next life knows who has which.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimDisk } from '#env/sim/disk.ts';
import type { AllowedDevice } from './devices.ts';
import { Gpus, withGpus } from './gpus.ts';

const device = (name: string, minor: number): AllowedDevice => ({
  path: `/dev/${name}`,
  rule: `c 195:${minor} rw`,
});
const flags = {
  gpuDevices: [device('gpu0', 0), device('gpu1', 1), device('gpu2', 2)],
  gpuSharedDevices: [device('gpuctl', 255)],
};
const paths = (gpus: Gpus, name: string) => gpus.of(name).map((one) => one.path);

test('devices are given whole and once, with the shared ones, and come back with what is above', async () => {
  const gpus = new Gpus(flags, '/w/run/gpus.json', new SimDisk());
  await gpus.take('a', 1);
  await gpus.take('b.1', 2);
  await gpus.take('c', 0);
  assert.deepEqual(paths(gpus, 'a'), ['/dev/gpu0', '/dev/gpuctl']);
  assert.deepEqual(paths(gpus, 'b.1'), ['/dev/gpu1', '/dev/gpu2', '/dev/gpuctl']);
  assert.deepEqual(paths(gpus, 'c'), []);
  await assert.rejects(gpus.take('d', 1), /Requested 1 gpus but only 0 available/);
  await assert.rejects(gpus.take('e', 0.5), /must be an unsigned integer/);
  await gpus.give('b');
  await gpus.take('d', 1);
  assert.deepEqual(paths(gpus, 'd'), ['/dev/gpu1', '/dev/gpuctl']);
});

test('what runs gets more and gives back, and what is below it has the same', async () => {
  const disk = new SimDisk();
  const gpus = new Gpus(flags, '/w/run/gpus.json', disk);
  await gpus.take('a', 1);
  const more = gpus.resize('a', 3);
  assert.equal(more.changed, true);
  assert.deepEqual(paths(gpus, 'a'), ['/dev/gpu0', '/dev/gpu1', '/dev/gpu2', '/dev/gpuctl']);
  const less = gpus.resize('a', 1);
  assert.equal(gpus.resize('a', 1).changed, false);
  await Promise.all([more.kept, less.kept]);
  assert.deepEqual(paths(gpus, 'a.b.c'), ['/dev/gpu0', '/dev/gpuctl']);
  assert.deepEqual(paths(gpus, 'ab'), []);
  await gpus.take('d', 2);
  await assert.rejects(gpus.resize('a', 2).kept, /Requested 2 gpus but only 1 available/);
  const next = new Gpus(flags, '/w/run/gpus.json', disk);
  await next.recover(() => true);
  assert.deepEqual(paths(next, 'd'), ['/dev/gpu1', '/dev/gpu2', '/dev/gpuctl']);
  await gpus.resize('a', 0).kept;
  assert.deepEqual(paths(gpus, 'a'), []);
});

test('a next life gives none away that is held, and those of the dead again', async () => {
  const disk = new SimDisk();
  const first = new Gpus(flags, '/w/run/gpus.json', disk);
  await first.take('dead', 2);
  await first.take('alive.1', 1);
  const second = new Gpus(flags, '/w/run/gpus.json', disk);
  await second.recover((name) => name.startsWith('alive'));
  assert.deepEqual(paths(second, 'alive.1'), ['/dev/gpu2', '/dev/gpuctl']);
  await second.take('new', 2);
  assert.deepEqual(paths(second, 'new'), ['/dev/gpu0', '/dev/gpu1', '/dev/gpuctl']);
});

test('the agent offers as many gpus as it has devices, or as are named', () => {
  const gpus = (value: number) => ({ name: 'gpus', type: 'SCALAR' as const, scalar: { value } });
  assert.deepEqual(withGpus([], 0), []);
  assert.deepEqual(withGpus([], 2), [gpus(2)]);
  assert.deepEqual(withGpus([gpus(1)], 2), [gpus(1)]);
  assert.throws(() => withGpus([gpus(3)], 2), /there are 2 of them, and 3 gpus/);
});
