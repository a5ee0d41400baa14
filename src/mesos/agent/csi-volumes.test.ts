// CSI volumes: whatever call fails, and wherever the agent dies, the plugin is called in the order that CSI wants, and
// in the end nothing is published that nobody uses.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '#env/node/log.ts';
import { SimClock } from '#env/sim/clock.ts';
import { SimDisk } from '#env/sim/disk.ts';
import type { Volume } from '#wire/mesos/v1.ts';
import type { CsiMethod } from './csi-client.ts';
import type { CsiNode } from './csi-plugins.ts';
import { CsiVolumes } from './csi-volumes.ts';

const ORDER: readonly CsiMethod[] = [
  'Node/NodeStageVolume',
  'Node/NodePublishVolume',
  'Node/NodeUnpublishVolume',
  'Node/NodeUnstageVolume',
];

function volume(mode: Volume['mode'] = 'RW'): Volume {
  const volume_capability = { access_mode: { mode: 'MULTI_NODE_MULTI_WRITER' as const } };
  const static_provisioning = { volume_id: 'v/1', volume_capability };
  const csi_volume = { plugin_name: 'p', static_provisioning };
  return { mode, container_path: 'data', source: { type: 'CSI_VOLUME', csi_volume } };
}

/** A plugin in memory: it holds its caller to the order, and fails or kills it at one of its calls. */
class Plugin {
  readonly calls: CsiMethod[] = [];
  isStaged = false;
  isPublished = false;
  /** Counted from 0; `before` or `after` the call has had its effect. */
  failsAt: { readonly call: number; readonly when: 'before' | 'after' } | undefined;

  node(): Promise<CsiNode> {
    const info = { type: 'p' };
    return Promise.resolve({ info, isStaging: true, call: (...it) => this.#call(...it) });
  }

  async #call(method: CsiMethod, request: object): Promise<void> {
    const { target_path = '' } = request as { target_path?: string };
    const isNow = this.failsAt?.call === this.calls.length;
    this.calls.push(method);
    if (isNow && this.failsAt?.when === 'before') throw new Error('It fails before');
    switch (method) {
      case 'Node/NodeStageVolume':
        this.isStaged = true;
        break;
      case 'Node/NodePublishVolume':
        assert.ok(this.isStaged, 'it is staged before it is published');
        this.isPublished = true;
        mkdirSync(target_path, { recursive: true });
        break;
      case 'Node/NodeUnpublishVolume':
        this.isPublished = false;
        rmSync(target_path, { recursive: true, force: true });
        break;
      default:
        assert.ok(!this.isPublished, 'it is unpublished before it is unstaged');
        this.isStaged = false;
    }
    if (isNow) throw new Error('It fails after');
  }
}

async function settled(clock: SimClock, isTrue: () => boolean): Promise<void> {
  for (let turn = 0; turn < 200 && !isTrue(); turn += 1) {
    await new Promise((done) => setImmediate(done));
    clock.advance(500);
  }
  assert.ok(isTrue());
}

/** Plays in a folder of its own. */
async function playing(
  play: (plugin: Plugin, life: () => CsiVolumes, clock: SimClock, folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'strata-csi-'));
  const [plugin, clock, disk] = [new Plugin(), new SimClock(), new SimDisk()];
  const options = { folder, keptPath: '/w/run/csi.json', bootId: 'b' };
  const plugins = { node: () => plugin.node(), close: () => {} };
  const life = (): CsiVolumes =>
    new CsiVolumes(options, plugins, { disk, env: { log: silentLog, timers: clock } });
  try {
    await play(plugin, life, clock, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('the first publishes, the others share, the last takes back', () =>
  playing(async (plugin, life, _clock, folder) => {
    const volumes = life();
    const paths = await Promise.all(
      ['a', 'b.1'].map((holder) => volumes.publish(holder, volume(), undefined)),
    );
    assert.deepEqual(new Set(paths), new Set([join(folder, 'p/default/mounts/v%2F1/target')]));
    await volumes.leave('a');
    assert.ok(plugin.isPublished);
    await volumes.leaveBelow('b');
    assert.deepEqual(plugin.calls, ORDER);
    assert.ok(!existsSync(join(folder, 'p/default/mounts/v%2F1')));
    await volumes.publish('c', volume('RO'), undefined);
    await assert.rejects(volumes.publish('d', volume(), undefined), /in use read-only/);
  }));

test('a call that fails, or a death at any of them, leaves nothing behind in the end', async () => {
  for (const isDeath of [false, true]) {
    for (const when of ['before', 'after'] as const) {
      for (let call = 0; call < ORDER.length; call += 1) {
        await playing(async (plugin, life, clock) => {
          plugin.failsAt = { call, when };
          let volumes = life();
          const published = await volumes.publish('a', volume(), undefined).catch(() => undefined);
          assert.equal(published === undefined, call < 2);
          if (!isDeath || call > 1) await volumes.leave('a').catch(() => {});
          if (isDeath) {
            volumes.close();
            volumes = life();
            await volumes.recover(() => false);
          }
          await settled(clock, () => !plugin.isStaged && !plugin.isPublished);
          const again = await volumes.publish('b', volume(), undefined);
          assert.ok(existsSync(again));
          volumes.close();
        });
      }
    }
  }
});

test('what an earlier life has published stays while its container lives', () =>
  playing(async (plugin, life) => {
    await life().publish('a', volume(), undefined);
    const next = life();
    await next.recover((holder) => holder === 'a');
    await next.publish('b', volume(), undefined);
    assert.deepEqual(plugin.calls, ORDER.slice(0, 2));
    await next.leave('b');
    await next.leave('a');
    assert.deepEqual(plugin.calls, ORDER);
    next.close();
  }));
