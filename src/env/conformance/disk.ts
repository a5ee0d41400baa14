// What every disk adapter must do; run for the real and for the simulated one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import type { Disk } from '#env/disk.ts';

export interface DiskUnderTest {
  readonly disk: Disk;
  /** An existing, empty folder. */
  readonly folder: string;
}

const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : new TextDecoder().decode(bytes);

export function diskConformance(name: string, make: () => Promise<DiskUnderTest>): void {
  test(`${name}: read() of an absent file is undefined`, async () => {
    const { disk, folder } = await make();
    assert.equal(await disk.read(`${folder}/none`), undefined);
    assert.equal(await disk.list(`${folder}/none`), undefined);
  });

  test(`${name}: writeAtomic() replaces the whole file and leaves nothing else`, async () => {
    const { disk, folder } = await make();
    await disk.writeAtomic(`${folder}/a`, 'a longer first text');
    await disk.writeAtomic(`${folder}/a`, 'short');
    assert.equal(text(await disk.read(`${folder}/a`)), 'short');
    assert.deepEqual(await disk.list(folder), ['a']);
  });

  test(`${name}: writeAtomic() into an absent folder is a disk-io fault with the path`, async () => {
    const { disk, folder } = await make();
    const path = `${folder}/none/a`;
    await assert.rejects(disk.writeAtomic(path, ''), (error: unknown) => {
      assert.equal(faultCode(error), 'disk-io');
      assert.match(String(error), new RegExp(path));
      return true;
    });
  });

  test(`${name}: replace() is seen at once and leaves nothing else; sync() wants a file`, async () => {
    const { disk, folder } = await make();
    await disk.replace(`${folder}/a`, 'a longer first text', { mode: 0o600 });
    await disk.replace(`${folder}/a`, 'short');
    await disk.sync(`${folder}/a`);
    assert.equal(text(await disk.read(`${folder}/a`)), 'short');
    assert.deepEqual(await disk.list(folder), ['a']);
    await disk.replace(`${folder}/b`, '');
    await disk.sync(`${folder}/a`, `${folder}/b`);
    await assert.rejects(disk.sync(`${folder}/none`), /Cannot sync ".*none"/);
    await assert.rejects(disk.sync(`${folder}/a`, `${folder}/none`), /Cannot sync ".*none"/);
    await assert.rejects(disk.replace(`${folder}/none/a`, ''), /Cannot write ".*none\/a"/);
  });

  test(`${name}: link() makes, replaces and tells where it points; remove() takes it`, async () => {
    const { disk, folder } = await make();
    const path = `${folder}/latest`;
    assert.equal(await disk.readLink(path), undefined);
    await disk.link(path, 'one');
    await disk.link(path, 'two');
    assert.equal(await disk.readLink(path), 'two');
    assert.deepEqual(await disk.list(folder), ['latest']);
    await disk.remove(path);
    assert.deepEqual(await disk.list(folder), []);
  });

  test(`${name}: append() adds at the end`, async () => {
    const { disk, folder } = await make();
    await disk.append(`${folder}/log`, 'one\n');
    await disk.append(`${folder}/log`, 'two\n');
    assert.equal(text(await disk.read(`${folder}/log`)), 'one\ntwo\n');
  });

  test(`${name}: makeFolder() makes parents, list() is sorted, remove() takes a tree`, async () => {
    const { disk, folder } = await make();
    await disk.makeFolder(`${folder}/x/y`);
    await disk.writeAtomic(`${folder}/x/b`, '');
    await disk.writeAtomic(`${folder}/x/a`, '');
    assert.deepEqual(await disk.list(`${folder}/x`), ['a', 'b', 'y']);
    await disk.remove(`${folder}/x`);
    await disk.remove(`${folder}/x`);
    assert.deepEqual(await disk.list(folder), []);
  });
}
