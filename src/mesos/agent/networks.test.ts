// Networks of containers that come and go at the same time, with a plugin that only answers.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '#env/node/log.ts';
import { Networks, type NetworksOptions } from './networks.ts';

const answer = { cniVersion: '0.4.0', ips: [{ version: '4', address: '10.9.8.7/24' }] };
const isRoot = process.getuid?.() === 0;

function newOptions(folder: string): NetworksOptions {
  const [configFolder, pluginsFolder] = [join(folder, 'config'), join(folder, 'plugins')];
  for (const one of [configFolder, pluginsFolder]) mkdirSync(one);
  const config = { cniVersion: '0.4.0', name: 'plain', type: 'says' };
  writeFileSync(join(configFolder, 'plain.conf'), JSON.stringify(config));
  const script = `#!/bin/sh\ncat >/dev/null\necho '${JSON.stringify(answer)}'\n`;
  writeFileSync(join(pluginsFolder, 'says'), script, { mode: 0o755 });
  return {
    folder: join(folder, 'own'),
    configFolder,
    pluginsFolder,
    dns: { byNetwork: new Map(), others: undefined },
    log: silentLog,
  };
}

test(
  'a container that joins keeps its network while another one is taken out of its own',
  { skip: isRoot ? false : 'needs root' },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'strata-networks-'));
    try {
      const options = newOptions(folder);
      const networks = new Networks(options);
      for (let round = 0; round < 20; round++) {
        const id = `c${round}`;
        let isJoined = false;
        const joined = networks
          .join(id, { type: 'MESOS', network_infos: [{ name: 'plain' }] })
          .then(() => (isJoined = true));
        while (!isJoined) {
          await networks.leaveBelow('another');
          await Promise.race([joined, new Promise((done) => setImmediate(done))]);
        }
        // As whoever comes after a crash finds it.
        const successor = new Networks(options);
        await successor.recover(() => true);
        assert.equal(successor.of(id)?.address, '10.9.8.7');
        await networks.leave(id);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

test(
  'those that are gone leave their networks side by side after a start, those that live stay',
  { skip: isRoot ? false : 'needs root', timeout: 60_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'strata-networks-'));
    try {
      const options = newOptions(folder);
      const networks = new Networks(options);
      const ids = ['a', 'b', 'lives', 'lives.below', 'a.below'];
      for (const id of ids) {
        await networks.join(id, { type: 'MESOS', network_infos: [{ name: 'plain' }] });
      }
      // Now a plugin ends when another one runs: one after the other they never do.
      const met = join(folder, 'met');
      mkdirSync(met);
      const alone = `[ $(ls "${met}" | wc -l) -lt 2 ]`;
      const script = `#!/bin/sh\n>"${met}/$CNI_CONTAINERID"; while ${alone}; do sleep 0.01; done\n`;
      writeFileSync(join(options.pluginsFolder ?? '', 'says'), script, { mode: 0o755 });
      const successor = new Networks(options);
      await successor.recover((id) => id.startsWith('lives'));
      assert.deepEqual(readdirSync(options.folder).toSorted(), ['lives', 'lives.below']);
      assert.equal(successor.of('lives.below.deeper')?.address, '10.9.8.7');
      await successor.leaveBelow('live');
      assert.equal(readdirSync(options.folder).length, 2);
      await successor.leaveBelow('lives');
      assert.deepEqual(readdirSync(options.folder), []);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
