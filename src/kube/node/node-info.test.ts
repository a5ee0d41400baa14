// What a node tells of machines that have all, some and none of the files it reads.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { readNodeInfo } from './node-info.ts';

const RUNTIME = 'containerd://1.6.20';

const cases: readonly {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly expected: Readonly<Record<string, string>>;
}[] = [
  {
    name: 'a machine with all of it',
    files: {
      '/etc/machine-id': 'c0ffee\n',
      '/sys/class/dmi/id/product_uuid': '11111111-2222-3333-4444-555555555555\n',
      '/proc/sys/kernel/random/boot_id': 'b007\n',
      '/etc/os-release': 'NAME=x\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
    },
    expected: {
      machineID: 'c0ffee',
      systemUUID: '11111111-2222-3333-4444-555555555555',
      bootID: 'b007',
      osImage: 'Debian GNU/Linux 12 (bookworm)',
    },
  },
  {
    name: 'no firmware that may be read: the id of the machine; a name without quotes',
    files: { '/etc/machine-id': 'c0ffee\n', '/usr/lib/os-release': 'PRETTY_NAME=Alpine\n' },
    expected: { machineID: 'c0ffee', systemUUID: 'c0ffee', osImage: 'Alpine' },
  },
  {
    name: 'an image without any of it',
    files: {
      '/etc/machine-id': '',
      '/var/lib/dbus/machine-id': 'd-bus',
      '/etc/os-release': 'ID=x',
    },
    expected: { machineID: 'd-bus', osImage: 'Linux' },
  },
];

for (const { name, files, expected } of cases) {
  test(name, (t) => {
    const root = mkdtempSync(join(tmpdir(), 'strata-node-info-'));
    t.after(() => rmSync(root, { recursive: true }));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const info = readNodeInfo(RUNTIME, root);
    const always = { kernelVersion: release(), containerRuntimeVersion: RUNTIME };
    assert.deepEqual(info, { ...expected, ...always });
  });
}
