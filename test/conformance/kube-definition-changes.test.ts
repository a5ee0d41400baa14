// What a change of a definition changes is shown at once: discovery, OpenAPI v2 and v3, tables and warnings say what a
// real kube-apiserver says a moment later, and the documents that become new are the same.
import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { changedGroups, changes, type Change } from '#test/support/definition-changes.ts';
import { differences, type Difference } from '#test/support/definition-comparer.ts';
import { changedTags, DefinitionViewer, type View } from '#test/support/definition-views.ts';
import { senderTo, type Target } from '#test/support/kube-sender.ts';
import { startRealServer } from '#test/support/real-apiserver.ts';
import { realProgram, skipWithout } from '#test/support/real-kubernetes.ts';
import { startOwnServer } from '#test/support/step-target.ts';

const skip = skipWithout(['etcd', 'kube-apiserver']);
/** Upstream's documents of custom kinds follow in a second or two, on a busy machine later. */
const WAIT_MS = 60_000;
const PAUSE_MS = 200;

async function carryOut(target: Target, { method, path, body, type }: Change): Promise<number> {
  const headers = { 'content-type': type ?? 'application/json', 'user-agent': 'changes' };
  const text = body === undefined ? undefined : JSON.stringify(body);
  return (await senderTo(target)({ method, path, headers, body: text })).status;
}

test('a changed definition is shown as kube-apiserver shows it', { skip }, async (t) => {
  const real = await startRealServer(realProgram('.'), {});
  const own = await startOwnServer();
  try {
    const theirs = new DefinitionViewer(real.target, changedGroups);
    const ours = new DefinitionViewer(own.target, changedGroups);
    /** Asks upstream until it shows the same, or will not. */
    const caughtUp = async (wanted: View): Promise<[View, Difference[]]> => {
      const deadline = Date.now() + WAIT_MS;
      for (;;) {
        const found = await theirs.view();
        const differing = differences(found.shown, wanted.shown);
        if (differing.length === 0 || Date.now() > deadline) return [found, differing];
        await pause(PAUSE_MS);
      }
    };
    const first = await ours.view();
    let before = { real: (await caughtUp(first))[0], own: first };
    for (const change of changes) {
      await t.test(change.name, async () => {
        const [wanted, status] = [
          await carryOut(real.target, change),
          await carryOut(own.target, change),
        ];
        assert.equal(status, wanted);
        const shown = await ours.view();
        const [found, differing] = await caughtUp(shown);
        const tags = [
          changedTags(before.real.tags, found.tags),
          changedTags(before.own.tags, shown.tags),
        ];
        before = { real: found, own: shown };
        assert.deepEqual(differing, []);
        assert.deepEqual(tags[1], tags[0]);
      });
    }
  } finally {
    await own.close();
    await real.close();
  }
});
