// The binder of volumes: which volume is taken, what is written in which order, and that it comes to the same
// end wherever it was stopped.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { KubeObject } from '#kube/meta/object.ts';
import { bestVolume, claimRefOf, keyOfRef, phaseOf, volumeNameOf } from './claims.ts';
import { claimStep, volumeStep, type Step, type World } from './core.ts';
import { OwnWrites } from './own-writes.ts';

type Json = Record<string, unknown>;

const claim = (name: string, size: string, more: Json = {}, metadata: Json = {}): KubeObject => ({
  kind: 'PersistentVolumeClaim',
  apiVersion: 'v1',
  metadata: { namespace: 'default', name, uid: `uid-${name}`, ...metadata },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: size } }, ...more },
  status: { phase: 'Pending' },
});
const volume = (name: string, size: string, more: Json = {}, metadata: Json = {}): KubeObject => ({
  kind: 'PersistentVolume',
  apiVersion: 'v1',
  metadata: { name, ...metadata },
  spec: {
    capacity: { storage: size },
    accessModes: ['ReadWriteOnce'],
    persistentVolumeReclaimPolicy: 'Retain',
    hostPath: { path: '/d' },
    ...more,
  },
  status: { phase: 'Available' },
});
const kept = (name: string, uid?: string): Json => ({
  claimRef: { namespace: 'default', name, ...(uid === undefined ? {} : { uid }) },
});
const many = { accessModes: ['ReadWriteOnce', 'ReadOnlyMany'] };

const choices: readonly (readonly [
  string,
  KubeObject,
  readonly KubeObject[],
  string | undefined,
])[] = [
  ['the smallest', claim('c', '1Gi'), [volume('b', '3Gi'), volume('a', '2Gi')], 'a'],
  ['none that is too small', claim('c', '1Gi'), [volume('a', '1023Mi')], undefined],
  ['the same size in other words', claim('c', '1Gi'), [volume('a', '1024Mi')], 'a'],
  [
    'fewer access modes before less space',
    claim('c', '1'),
    [volume('a', '1', many), volume('b', '9')],
    'b',
  ],
  ['more access modes than asked for', claim('c', '1'), [volume('a', '1', many)], 'a'],
  ['none without an access mode', claim('c', '1', many), [volume('a', '1')], undefined],
  [
    'none of another class',
    claim('c', '1', { storageClassName: 'x' }),
    [volume('a', '1')],
    undefined,
  ],
  [
    'its own, whatever the class and the size',
    claim('c', '1', { storageClassName: 'x' }),
    [volume('a', '1', { storageClassName: 'x' }), volume('b', '9', kept('c'))],
    'b',
  ],
  ['none that another has', claim('c', '1'), [volume('a', '1', kept('d'))], undefined],
  [
    'none of an earlier claim of its name',
    claim('c', '1'),
    [volume('a', '1', kept('c', 'old'))],
    undefined,
  ],
  ['none of another mode', claim('c', '1', { volumeMode: 'Block' }), [volume('a', '1')], undefined],
  [
    'none of other attributes',
    claim('c', '1', { volumeAttributesClassName: 'gold' }),
    [volume('a', '1')],
    undefined,
  ],
  [
    'none that is going',
    claim('c', '1'),
    [volume('a', '1', {}, { deletionTimestamp: '2026-11-30T00:00:00Z' })],
    undefined,
  ],
  [
    'one with the labels',
    claim('c', '1', { selector: { matchLabels: { disk: 'fast' } } }),
    [volume('a', '1'), volume('b', '2', {}, { labels: { disk: 'fast' } })],
    'b',
  ],
];

for (const [what, wanted, volumes, best] of choices) {
  test(`the volume of a claim: ${what}`, () => {
    assert.equal(bestVolume(wanted, volumes, false)?.metadata.name, best);
    assert.equal(bestVolume(wanted, volumes.toReversed(), false)?.metadata.name, best);
  });
}

test('a claim that waits for a pod gets what is its own, and nothing else', () => {
  const own = volume('b', '9', kept('c'));
  assert.equal(bestVolume(claim('c', '1'), [volume('a', '1')], true), undefined);
  assert.equal(bestVolume(claim('c', '1'), [volume('a', '1'), own], true), own);
});

/** A cluster of one kind of worker: the binder, which is stopped after any number of writes. */
class Cluster {
  readonly claims = new Map<string, KubeObject>();
  readonly volumes = new Map<string, KubeObject>();
  readonly classes = new Map<string, KubeObject>();
  readonly said: string[] = [];
  writes = 0;
  #revision = 0;
  readonly world: World = {
    volume: (name) => this.volumes.get(name),
    storageClass: (name) => this.classes.get(name),
    defaultClass: () => undefined,
    candidates: () => this.volumes.values(),
    waitingPods: () => [],
  };

  put(object: KubeObject): void {
    const { name = '' } = object.metadata;
    this.#revision += 1;
    const metadata = { ...object.metadata, resourceVersion: String(this.#revision) };
    const all = object.kind === 'PersistentVolume' ? this.volumes : this.claims;
    all.set(name, { ...object, metadata });
  }

  /** All steps of all objects, or until there were so many writes. True when nothing is left to be written. */
  look(writesMax = Infinity): boolean {
    for (let isDone = false; !isDone;) {
      const before = this.writes;
      const names = [...this.volumes.keys()].map((name) => ['volume', name] as const);
      names.push(...[...this.claims.keys()].map((name) => ['claim', name] as never));
      for (const [kind, name] of names) if (!this.#lookAt(kind, name, writesMax)) return false;
      isDone = this.writes === before;
    }
    return true;
  }

  #lookAt(kind: string, name: string, writesMax: number): boolean {
    for (let isMore = true; isMore;) {
      const step = this.#step(kind, name);
      isMore = step.isMore === true;
      if (step.write !== undefined) {
        if (this.writes >= writesMax) return false;
        this.writes += 1;
        this.put(step.write);
      }
      for (const { reason, message } of step.events ?? []) this.said.push(`${reason}: ${message}`);
    }
    return true;
  }

  #step(kind: string, name: string): Step {
    const [own, wanted] = [this.volumes.get(name), this.claims.get(name)];
    if (kind === 'claim') return wanted === undefined ? {} : claimStep(wanted, this.world);
    if (own === undefined) return {};
    const ref = claimRefOf(own);
    const key = ref === undefined ? '' : keyOfRef(ref);
    return volumeStep(own, this.claims.get(key.replace('default/', '')));
  }

  shown(): string[] {
    return [...this.claims.values(), ...this.volumes.values()].map((one) => {
      const other = one.kind === 'PersistentVolume' ? claimRefOf(one)?.name : volumeNameOf(one);
      return `${one.metadata.name} ${phaseOf(one)} ${other ?? ''}`.trim();
    });
  }
}

test('a binding that is stopped after any of its writes is finished by the next look', () => {
  const whole = new Cluster();
  for (const one of [volume('v', '2Gi'), volume('w', '9Gi'), claim('c', '1Gi')]) whole.put(one);
  assert.ok(whole.look());
  assert.equal(whole.writes, 4);
  assert.deepEqual(whole.shown(), ['c Bound v', 'v Bound c', 'w Available']);
  for (let count = 0; count < 4; count += 1) {
    const halted = new Cluster();
    for (const one of [volume('v', '2Gi'), volume('w', '9Gi'), claim('c', '1Gi')]) halted.put(one);
    assert.equal(halted.look(count), false);
    // What comes meanwhile fits better, and is not taken any more once a volume was given.
    if (count > 0) halted.put(volume('a', '1Gi'));
    assert.ok(halted.look());
    assert.deepEqual(halted.shown().slice(0, 3), whole.shown(), `stopped after ${count} writes`);
  }
});

test('no volume has two claims, no claim two volumes, and nothing that could be bound is left', () => {
  const size = fc.integer({ min: 1, max: 5 });
  const given = fc.record({
    volumes: fc.array(size, { maxLength: 8 }),
    claims: fc.array(size, { maxLength: 8 }),
    stops: fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 4 }),
  });
  fc.assert(
    fc.property(given, ({ volumes, claims, stops }) => {
      const cluster = new Cluster();
      volumes.forEach((one, i) => cluster.put(volume(`v${i}`, `${one}Gi`)));
      claims.forEach((one, i) => cluster.put(claim(`c${i}`, `${one}Gi`)));
      for (const count of stops) cluster.look(cluster.writes + count);
      cluster.look();
      const bound = [...cluster.claims.values()].filter((one) => phaseOf(one) === 'Bound');
      const names = bound.map(volumeNameOf);
      assert.equal(new Set(names).size, names.length);
      for (const one of bound) {
        const own = cluster.volumes.get(volumeNameOf(one));
        assert.equal(claimRefOf(own as KubeObject)?.uid, one.metadata.uid);
      }
      const [free] = [[...cluster.volumes.values()].filter((one) => phaseOf(one) !== 'Bound')];
      for (const one of cluster.claims.values()) {
        if (phaseOf(one) !== 'Bound') assert.equal(bestVolume(one, free, false), undefined);
      }
    }),
  );
});

const ended: readonly (readonly [string, KubeObject, string, string])[] = [
  ['is kept', volume('v', '1', kept('c', 'gone')), 'Released', ''],
  [
    'of a machine that is to be deleted',
    volume('v', '1', { ...kept('c', 'gone'), persistentVolumeReclaimPolicy: 'Delete' }),
    'Failed',
    'VolumeFailedDelete: host_path deleter only supports /tmp/.+ but received provided /d',
  ],
  [
    'of NFS that is to be deleted',
    volume('v', '1', {
      ...kept('c', 'gone'),
      persistentVolumeReclaimPolicy: 'Delete',
      hostPath: undefined,
      nfs: { server: 's', path: '/' },
    }),
    'Failed',
    'VolumeFailedDelete: error getting deleter volume plugin for volume "v": no deletable volume plugin matched',
  ],
  [
    'of a driver that deletes it itself',
    volume('v', '1', {
      ...kept('c', 'gone'),
      persistentVolumeReclaimPolicy: 'Delete',
      hostPath: undefined,
      csi: { driver: 'd', volumeHandle: 'h' },
    }),
    'Released',
    '',
  ],
  [
    'that somebody else has made',
    volume(
      'v',
      '1',
      { ...kept('c', 'gone'), persistentVolumeReclaimPolicy: 'Delete' },
      { annotations: { 'pv.kubernetes.io/provisioned-by': 'example.com/x' } },
    ),
    'Released',
    '',
  ],
  [
    'that is to be emptied',
    volume('v', '1', { ...kept('c', 'gone'), persistentVolumeReclaimPolicy: 'Recycle' }),
    'Failed',
    'VolumeFailedRecycle: No recycler plugin found for the volume!',
  ],
];

for (const [what, given, phase, said] of ended) {
  test(`a volume whose claim is gone: ${what}`, () => {
    const cluster = new Cluster();
    cluster.put({ ...given, status: { phase: 'Bound' } });
    cluster.put(claim('c', '5Gi'));
    cluster.look();
    assert.equal(phaseOf(cluster.volumes.get('v') as KubeObject), phase);
    const own = cluster.said.filter((one) => one.startsWith('Volume'));
    assert.deepEqual(own, said === '' ? [] : [said]);
  });
}

const lostClaims: readonly (readonly [string, readonly KubeObject[], string])[] = [
  ['its volume is gone', [], 'ClaimLost'],
  ['its volume is another’s', [volume('v', '1', kept('d', 'uid-d'))], 'ClaimMisbound'],
];
for (const [what, volumes, reason] of lostClaims) {
  test(`a claim is lost when ${what}`, () => {
    const cluster = new Cluster();
    volumes.forEach((one) => cluster.put(one));
    const annotations = { 'pv.kubernetes.io/bind-completed': 'yes' };
    const own = claim('c', '1', { volumeName: 'v' }, { annotations });
    cluster.put({ ...own, status: { phase: 'Bound', capacity: { storage: '1' } } });
    cluster.look();
    assert.deepEqual(cluster.claims.get('c')?.['status'], { phase: 'Lost' });
    assert.ok(cluster.said[0]?.startsWith(reason));
  });
}

test('a volume that was given to a claim which took another comes free; one that was kept for it stays so', () => {
  const annotations = { 'pv.kubernetes.io/bind-completed': 'yes' };
  const mark = { 'pv.kubernetes.io/bound-by-controller': 'yes' };
  const cluster = new Cluster();
  cluster.put(volume('v', '1', kept('c', 'uid-c')));
  cluster.put(volume('given', '1', kept('c', 'uid-c'), { annotations: mark }));
  cluster.put(volume('kept', '1', kept('c', 'uid-c')));
  cluster.put(claim('c', '1', { volumeName: 'v' }, { annotations }));
  cluster.look();
  assert.deepEqual(cluster.shown(), [
    'c Bound v',
    'v Bound c',
    'given Available',
    'kept Available c',
  ]);
  assert.deepEqual(cluster.volumes.get('given')?.metadata.annotations, {});
  assert.equal(claimRefOf(cluster.volumes.get('kept') as KubeObject)?.uid, undefined);
});

test('volumes of plugins that have moved to drivers are marked, those of upstream’s own are held', () => {
  const cluster = new Cluster();
  const by = (name: string): Json => ({ annotations: { 'pv.kubernetes.io/provisioned-by': name } });
  const deleted = { persistentVolumeReclaimPolicy: 'Delete' };
  cluster.put(volume('moved', '1', deleted, by('kubernetes.io/gce-pd')));
  cluster.put(volume('own', '1', deleted, by('kubernetes.io/host-path')));
  cluster.put(volume('theirs', '1', deleted, by('example.com/x')));
  cluster.look();
  const of = (name: string) => cluster.volumes.get(name)?.metadata;
  const moved = of('moved')?.annotations?.['pv.kubernetes.io/migrated-to'];
  assert.equal(moved, 'pd.csi.storage.gke.io');
  assert.deepEqual(of('own')?.finalizers, ['kubernetes.io/pv-controller']);
  assert.equal(of('theirs')?.finalizers, undefined);
});

test('what was written counts until the informer has it, something newer, or nothing', () => {
  const known = new Map<string, KubeObject>();
  const writes = new OwnWrites({ get: (key) => known.get(key) });
  const version = (text: string): KubeObject =>
    volume('v', text, {}, { uid: 'u', resourceVersion: text });
  known.set('v', version('4'));
  writes.note(version('10'));
  assert.equal(writes.get('v')?.metadata.resourceVersion, '10');
  known.set('v', version('9'));
  assert.equal(writes.get('v')?.metadata.resourceVersion, '10');
  known.set('v', version('11'));
  assert.equal(writes.get('v')?.metadata.resourceVersion, '11');
  assert.equal(writes.size, 0);
  writes.note(version('12'));
  known.delete('v');
  assert.equal(writes.get('v'), undefined);
  assert.equal(writes.size, 0);
});
