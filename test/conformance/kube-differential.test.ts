// What a real kube-apiserver v1.37 answered to some 17,000 requests, this server answers too: status,
// headers, body with managed fields. The life of an object of every built-in resource, a corpus of good
// and bad objects, and steps about custom resources, access, admission and certificates. What differs is
// listed, with its reason, in test/support/kube-differential/differences.ts.
import assert from 'node:assert/strict';
import test from 'node:test';
import { knownDifferences } from '#test/support/kube-differential/differences.ts';
import { apiVersionOf } from '#kube/meta/object.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { readRecording, type Recording } from '#test/support/kube-differential/record.ts';
import { suites, type Restart } from '#test/support/kube-differential/suites.ts';
import { ownOptions, startOwnServer } from '#test/support/step-target.ts';
import { compare, isKnown } from '#test/support/mesos-differential/compare.ts';

async function ownAnswers(suite: string): Promise<Recording> {
  const staged = await suites[suite]?.();
  assert.ok(staged !== undefined);
  const own = await startOwnServer(ownOptions(staged.flags));
  const restart: Restart = (flags) => own.restart(ownOptions(flags));
  try {
    return JSON.parse(JSON.stringify(await staged.play(own.target, restart))) as Recording;
  } finally {
    await own.close();
    await staged.close();
  }
}

for (const suite of Object.keys(suites)) {
  void test(`${suite} are answered as by kube-apiserver`, async () => {
    const recorded = readRecording(suite);
    const own = await ownAnswers(suite);
    assert.deepEqual(Object.keys(own), Object.keys(recorded), 'record the answers again');
    const found = Object.entries(recorded).flatMap(([scene, entries]) =>
      compare(entries, own[scene] ?? []).map((one) => ({ scene, ...one })),
    );
    const unknown = found.filter(
      (one) => !knownDifferences.some((known) => isKnown(one.scene, one, known)),
    );
    const unused = knownDifferences.filter(
      (known) =>
        Object.hasOwn(recorded, known.scene) &&
        !found.some((one) => isKnown(one.scene, one, known)),
    );
    assert.deepEqual({ unknown, unused }, { unknown: [], unused: [] });
  });
}

/** What has to have been asked of an object of every resource, and what the real server said to it. */
const asked: Readonly<Record<string, number>> = {
  'create with an unknown field': 201,
  'create by a bad name': 422,
  'create by half': 400,
  get: 200,
  list: 200,
  'put metadata': 200,
  'patch by JSON patch': 200,
  'patch to a wrong type': 422,
  'apply with force': 200,
  'delete dry': 200,
  delete: 200,
  'get after': 404,
  'delete all': 200,
};
/** Kinds with rules of their own. */
const expectedOtherwise: readonly string[] = [
  'v1 namespaces: get after 200',
  'v1 namespaces: delete all 405',
  'v1 persistentvolumeclaims: get after 200',
  'v1 persistentvolumes: get after 200',
  'v1 replicationcontrollers: get after 200',
  'batch/v1 jobs: get after 200',
  'storage.k8s.io/v1 volumeattributesclasses: get after 200',
];
/** Resources of which a client never has an object, or has one by another name. */
const withoutScene = new Set(['autoscaling/v1 horizontalpodautoscalers']);

test('every built-in resource is asked for in every way', () => {
  const recorded = readRecording('scenes');
  const missing = new TypeRegistry()
    .all()
    .filter(({ verbs }) => verbs.includes('create') && verbs.includes('get'))
    .map((info) => `${apiVersionOf(info)} ${info.resource}`)
    .filter((scene) => !withoutScene.has(scene))
    .flatMap((scene) =>
      Object.entries(asked).flatMap(([step, wanted]) => {
        const status = recorded[scene]?.find((one) => one.step === step)?.status;
        return status === wanted ? [] : [`${scene}: ${step} ${status}`];
      }),
    );
  assert.deepEqual(missing, expectedOtherwise);
  const counts = Object.values(recorded).map((entries) => entries.length);
  assert.ok(Math.min(...counts.filter((one) => one > 60)) > 90);
});

test('every listed difference is of a scene that is played', () => {
  const scenes = new Set(Object.keys(suites).flatMap((one) => Object.keys(readRecording(one))));
  assert.deepEqual(
    knownDifferences.filter(({ scene }) => !scenes.has(scene)),
    [],
  );
});
