// What is kept of the endpoints' texts is what they say afresh, at any moment of many cluster
// histories: whoever changes the master's state without telling its watcher is found here.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MasterCore } from '#mesos/master/core.ts';
import { KeptAnswers } from '#mesos/master/kept-answers.ts';
import { KeptLegacy } from '#mesos/master/kept-legacy.ts';
import { KeptViews } from '#mesos/master/kept-views.ts';
import { nobody, type StateWatcher } from '#mesos/master/state-watcher.ts';
import {
  agentsJson,
  frameworksJson,
  stateJson,
  summaryJson,
  tasksJson,
} from '#mesos/master/legacy-views.ts';
import { answer } from '#mesos/master/operator-answers.ts';
import type { OperationRecord } from '#mesos/master/types.ts';
import { Resources } from '#mesos/resources/resources.ts';
import type { View } from '#mesos/master/shared-views.ts';
import { decode, encode, stringify } from '#wire/mesos/codec.ts';
import type { MasterCall } from '#wire/mesos/v1.ts';
import { runSeed } from './run.ts';

const flags = { cluster: 'c', port: '5050' };
const calls = ['GET_STATE', 'GET_AGENTS', 'GET_FRAMEWORKS', 'GET_EXECUTORS', 'GET_TASKS'] as const;

function textOf(view: View): Buffer {
  assert.ok(view.refresh(() => false));
  return view.compose().packed().toBuffer();
}

/** Kept texts beside one master; `compare` holds all of them to what is made afresh. */
class Twin {
  readonly #core: MasterCore;
  readonly #legacy: KeptLegacy;
  readonly #answers: KeptAnswers;

  constructor(core: MasterCore, views = new KeptViews(core)) {
    this.#core = core;
    this.#legacy = new KeptLegacy(views, flags);
    this.#answers = new KeptAnswers(views);
  }

  compare(): void {
    const { state } = this.#core;
    this.#compareSums();
    const legacy: readonly (readonly [string, View, unknown])[] = [
      ['/state', this.#legacy.state(), stateJson(state, flags)],
      ['/state-summary', this.#legacy.summary(), summaryJson(state, flags.cluster)],
      ['/slaves', this.#legacy.slaves(), agentsJson(state, null)],
      ['/frameworks', this.#legacy.frameworks(), frameworksJson(state, null)],
      ...(['asc', 'desc'] as const).map((order) => {
        const query = { limit: 50, offset: 1, order };
        return [`/tasks ${order}`, this.#legacy.tasks(query), tasksJson(state, query)] as const;
      }),
    ];
    for (const [path, view, afresh] of legacy) {
      // Parsed, a difference is shown where it is.
      const kept = textOf(view).toString();
      const made = JSON.stringify(afresh);
      if (kept !== made) assert.deepEqual(JSON.parse(kept), JSON.parse(made), path);
      assert.equal(kept, made, path);
    }
    for (const type of calls) this.#compareCall({ type });
  }

  #compareCall(call: MasterCall): void {
    const { type = 'UNKNOWN' } = call;
    const afresh = answer(this.#core, call);
    assert.ok(afresh !== undefined);
    const json = this.#answers.view(call, 'application/json');
    const protobuf = this.#answers.view(call, 'application/x-protobuf');
    assert.ok(json !== undefined && protobuf !== undefined);
    const kept = textOf(json).toString();
    const made = stringify('MasterResponse', afresh);
    if (kept !== made) assert.deepEqual(JSON.parse(kept), JSON.parse(made), type);
    assert.equal(kept, made, type);
    assert.deepEqual(
      decode('MasterResponse', textOf(protobuf)),
      decode('MasterResponse', encode('MasterResponse', afresh)),
      `${type} in protobuf`,
    );
  }

  /** The sums that endpoints show are those of what is there. */
  #compareSums(): void {
    const { state } = this.#core;
    const operations = [...state.agents.values()].flatMap((one) => [...one.operations.values()]);
    for (const framework of state.frameworks.values()) {
      const live = [...framework.tasks.values()].filter(({ isReleased }) => !isReleased);
      const used = [...live, ...framework.executors].map(({ resources }) => resources);
      used.push(...heldBy(operations.filter((one) => one.frameworkId === framework.id)));
      assert.ok(framework.used.total().equals(Resources.join(used)), framework.id);
      const states = Map.groupBy(framework.tasks.values(), ({ task }) => task.state);
      for (const [name, count] of framework.states) {
        assert.equal(count, states.get(name)?.length ?? 0, `${framework.id} ${name}`);
      }
    }
    for (const agent of state.agents.values()) {
      const tasks = [...state.frameworks.values()].flatMap((one) =>
        [...one.tasks.values()].filter(({ task }) => task.agent_id.value === agent.id),
      );
      assert.deepEqual(new Set(agent.tasks), new Set(tasks), agent.id);
      const executors = [...agent.executors.values()].flatMap((byId) => [...byId.values()]);
      const live = tasks.filter(({ isReleased }) => !isReleased);
      const used = [...live, ...executors].map(({ resources }) => resources);
      used.push(...heldBy([...agent.operations.values()]));
      assert.ok(state.holdings.usedOn(agent).equals(Resources.join(used)), agent.id);
    }
  }
}

/** What operations take whose end is not known yet. */
function heldBy(operations: readonly OperationRecord[]): Resources[] {
  return operations.flatMap(({ held, isOrphan }) => (held === undefined || isOrphan ? [] : [held]));
}

/** Compares at some of the inputs, so that many changes come together, too; gives how often. */
function watch(seed: number, every: number, twinOf: (core: MasterCore) => Twin): number {
  let inputs = 0;
  let compared = 0;
  const { violations } = runSeed(seed, {
    isTraced: false,
    sabotage: {
      master: (core) => {
        const twin = twinOf(core);
        const take = core.state.take.bind(core.state);
        core.state.take = (how) => {
          const effects = take(how);
          inputs += 1;
          if (inputs % every === seed % every || inputs % 499 < 3) {
            twin.compare();
            compared += 1;
          }
          return effects;
        };
      },
    },
  });
  assert.deepEqual(violations, [], `seed ${seed}`);
  return compared;
}

test('kept texts are what is made afresh, in simulated histories', () => {
  let compared = 0;
  for (let seed = 1; seed <= 12; seed += 1) {
    compared += watch(seed, 71, (core) => new Twin(core));
  }
  assert.ok(compared > 100, String(compared));
});

const kinds = Object.keys(nobody) as (keyof StateWatcher)[];
for (const kind of kinds) {
  // What is forgotten is not shown; only its memory is given back.
  if (kind === 'onForgotten') continue;
  test(`it is noticed when ${kind} is not told`, () => {
    const deaf = (core: MasterCore): Twin => {
      const views = new KeptViews(core);
      views[kind] = () => {};
      return new Twin(core, views);
    };
    for (let seed = 1; seed <= 60; seed += 1) {
      try {
        watch(seed, 11, deaf);
      } catch (error) {
        assert.ok(error instanceof assert.AssertionError, String(error));
        return;
      }
    }
    assert.fail('nothing was noticed');
  });
}
