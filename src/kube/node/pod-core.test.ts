// What always holds in a pod, whatever happens to its containers and in whatever order.
import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { PodCore } from './pod-core.ts';
import type { Pod } from './pod-spec.ts';
import type { PodEffect, PodInput } from './pod-state.ts';

function aPod(restartPolicy: string): Pod {
  const metadata = { name: 'p', namespace: 'default', uid: 'u', generation: 1 };
  const initContainers = [{ name: 'i' }, { name: 's', restartPolicy: 'Always' }];
  const containers = [
    { name: 'a', livenessProbe: { periodSeconds: 3 } },
    { name: 'b', lifecycle: { preStop: { sleep: { seconds: 1 } } } },
  ];
  const spec = { restartPolicy, initContainers, containers };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec };
}

/** Acts as runtime: at most one live container per name, and tells what it is asked to tell. */
class World {
  readonly #pod: Pod;
  #core: PodCore;
  now = 0;
  readonly live = new Map<string, number>();
  readonly #pendingStarts = new Map<string, number>();
  readonly highest = new Map<string, number>();
  isFinished = false;
  #isInitialized = false;

  constructor(pod: Pod) {
    this.#pod = pod;
    this.#core = new PodCore(pod, undefined, 0);
    this.tell({ kind: 'pod' });
  }

  tell(input: PodInput): void {
    this.#perform(this.#core.handle(input, this.now));
  }

  #perform(effects: readonly PodEffect[]): void {
    for (const effect of effects) {
      assert.ok(!this.isFinished, 'nothing happens after the end');
      if (effect.kind === 'prepare') this.tell({ kind: 'prepared', ips: ['10.0.0.9'] });
      if (effect.kind === 'start') {
        const { name, attempt } = effect;
        assert.ok(!this.live.has(name) && !this.#pendingStarts.has(name), `${name} runs already`);
        assert.equal(attempt, (this.highest.get(name) ?? -1) + 1, 'attempts are counted');
        // The first time; once initialized, the pod's containers no longer wait for its sidecars.
        if ((name === 'a' || name === 'b') && !this.#isInitialized) {
          assert.ok(this.live.has('s'), 'after its sidecar');
          this.#isInitialized = true;
        }
        this.#pendingStarts.set(name, attempt);
      }
      if (effect.kind === 'signal') assert.ok(this.live.has(effect.name), 'signals the living');
      if (effect.kind === 'teardown') {
        assert.equal(this.live.size + this.#pendingStarts.size, 0, 'all containers have ended');
        this.tell({ kind: 'torn-down' });
      }
      if (effect.kind === 'finished') this.isFinished = true;
    }
  }

  start(): void {
    for (const [name, attempt] of Array.from(this.#pendingStarts)) {
      this.#pendingStarts.delete(name);
      this.live.set(name, attempt);
      this.highest.set(name, attempt);
      this.tell({ kind: 'started', name, attempt, containerId: name, at: this.now });
    }
  }

  exit(name: string, exitCode: number): void {
    const attempt = this.live.get(name);
    if (attempt === undefined) return;
    this.live.delete(name);
    this.tell({ kind: 'exited', name, attempt, exitCode, oom: false, at: this.now });
  }

  wait(ms: number): void {
    this.now += ms;
    this.tell({ kind: 'tick' });
  }

  restartExecutor(): void {
    const kept: unknown = JSON.parse(JSON.stringify(this.#core.state));
    this.#core = new PodCore(this.#pod, kept as PodCore['state'], this.now);
    for (const [name, attempt] of Array.from(this.#pendingStarts)) {
      // Whether it had come to the start is for the runtime to tell: here it had not.
      this.#pendingStarts.delete(name);
      this.tell({ kind: 'absent', name });
      assert.ok(attempt >= 0);
    }
    this.tell({ kind: 'pod' });
  }

  get phase(): string {
    return this.#core.status({ hostIps: [] }).phase;
  }
}

const names = fc.constantFrom('i', 's', 'a', 'b');
const action = fc.oneof(
  fc.constant((world: World) => world.start()),
  fc.constant((world: World) => world.restartExecutor()),
  fc.nat(400_000).map((ms) => (world: World) => world.wait(ms)),
  fc.tuple(names, fc.nat(2)).map(
    ([name, code]) =>
      (world: World) =>
        world.exit(name, code),
  ),
);

test('PodCore never runs a container twice, and ends when told, whatever happens', () => {
  const policies = fc.constantFrom('Always', 'OnFailure', 'Never');
  fc.assert(
    fc.property(policies, fc.array(action, { maxLength: 40 }), (policy, actions) => {
      const world = new World(aPod(policy));
      for (const act of actions) {
        if (world.isFinished) break;
        act(world);
      }
      if (!world.isFinished) world.tell({ kind: 'kill', reason: 'End', message: '' });
      for (let round = 0; round < 8 && !world.isFinished; round++) {
        world.start();
        for (const name of ['a', 'b', 'i', 's']) world.exit(name, 0);
      }
      assert.ok(world.isFinished, 'the pod has ended');
      assert.match(world.phase, /Succeeded|Failed/);
    }),
    { numRuns: 500 },
  );
});
