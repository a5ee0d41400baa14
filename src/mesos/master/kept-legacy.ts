// /state, /slaves, /frameworks and /tasks out of kept texts: the same bytes as legacy-views.ts makes
// afresh, for readers who may see everything.
import type { Task } from '#wire/mesos/v1.ts';
import type { Form, KeptList } from './kept-list.ts';
import type { KeptViews } from './kept-views.ts';
import { Ledger } from './ledger.ts';
import { frameworkHead, frameworkTail } from './legacy-json.ts';
import {
  firstStatusAt,
  stateHead,
  summaryFrameworkJson,
  summaryHead,
  type TasksQuery,
} from './legacy-views.ts';
import { Rope } from './rope.ts';
import type { View } from './shared-views.ts';
import type { FrameworkRecord } from './types.ts';

/** Parts of a list that is put together anew, as its order is another one. */
const BLOCK_BYTES = 256 * 1024;

function listOf<T extends object>(list: KeptList<T>, form: Form<T>): Rope {
  return new Rope().list(Rope.of(list.parts(form)));
}

interface Ends {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
}

export class KeptLegacy {
  readonly #views: KeptViews;
  readonly #flags: Readonly<Record<string, string>>;
  /** The last answer of /tasks, whose order costs more than its text. */
  #lastTasks: { readonly key: string; readonly changes: number; readonly rope: Rope } | undefined;

  constructor(views: KeptViews, flags: Readonly<Record<string, string>>) {
    this.#views = views;
    this.#flags = flags;
  }

  state(): View {
    const { agents, recovered } = this.#views.legacy;
    return {
      refresh: (isOver) =>
        this.#views.agents.refresh(agents, isOver) &&
        this.#views.recovered.refresh(recovered, isOver) &&
        this.#refreshFrameworks(isOver),
      compose: () => {
        const head = JSON.stringify(stateHead(this.#views.core.state, this.#flags));
        return new Rope()
          .text(`${head.slice(0, -1)},"slaves":`)
          .rope(listOf(this.#views.agents, agents))
          .text(',"recovered_slaves":')
          .rope(listOf(this.#views.recovered, recovered))
          .rope(this.#frameworkLists())
          .text(',"orphan_tasks":[],"unregistered_frameworks":[]}');
      },
    };
  }

  summary(): View {
    const { summaryAgents } = this.#views;
    return {
      refresh: (isOver) => this.#views.summary.refresh(summaryAgents, isOver),
      compose: () => {
        const { state } = this.#views.core;
        const ledger = new Ledger(state);
        const frameworks = new Rope();
        for (const framework of state.frameworks.values()) {
          const text = this.#views.frame<Uint8Array>(framework, summaryAgents, () =>
            Buffer.from(`,${JSON.stringify(summaryFrameworkJson(ledger, framework))}`),
          );
          frameworks.bytes(text);
        }
        const head = JSON.stringify(summaryHead(state, this.#flags['cluster']));
        return new Rope()
          .text(`${head.slice(0, -1)},"slaves":`)
          .rope(listOf(this.#views.summary, summaryAgents))
          .text(',"frameworks":')
          .list(frameworks)
          .text('}');
      },
    };
  }

  slaves(): View {
    const { fullAgents, legacy } = this.#views;
    return {
      refresh: (isOver) =>
        this.#views.agents.refresh(fullAgents, isOver) &&
        this.#views.recovered.refresh(legacy.recovered, isOver),
      compose: () =>
        new Rope()
          .text('{"slaves":')
          .rope(listOf(this.#views.agents, fullAgents))
          .text(',"recovered_slaves":')
          .rope(listOf(this.#views.recovered, legacy.recovered))
          .text('}'),
    };
  }

  frameworks(): View {
    return {
      refresh: (isOver) => this.#refreshFrameworks(isOver),
      compose: () => {
        const rope = new Rope().text('{').rope(this.#frameworkLists());
        // The comma before the first field.
        const [open, first, ...rest] = rope.parts;
        if (open === undefined || first === undefined) return rope;
        return Rope.of([open, first.subarray(1), ...rest]).text(',"unregistered_frameworks":[]}');
      },
    };
  }

  /** Nobody reads. */
  rest(): void {
    this.#lastTasks = undefined;
  }

  /** Of all frameworks, in the order of their first status. */
  tasks({ limit, offset, order }: TasksQuery): View {
    const { tasks: form } = this.#views.legacy;
    return {
      refresh: (isOver) => this.#frameworks().every((one) => this.#refreshTasks(one, isOver)),
      compose: () => {
        const key = `${limit} ${offset} ${order}`;
        const { taskChanges: changes } = this.#views;
        const last = this.#lastTasks;
        if (last !== undefined && last.key === key && last.changes === changes) return last.rope;
        const found: {
          readonly at: number;
          readonly bytes: Uint8Array;
          from: number;
          to: number;
        }[] = [];
        const add = (list: KeptList<Task>): void => {
          for (const [task, bytes, from, to] of list.texts(form)) {
            found.push({ at: firstStatusAt(task), bytes, from, to });
          }
        };
        for (const framework of this.#frameworks()) {
          const { tasks, unreachable, completed } = this.#views.of(framework);
          add(tasks);
          add(unreachable);
          add(completed);
        }
        const sign = order === 'asc' ? 1 : -1;
        const chosen = found.sort((a, b) => sign * (a.at - b.at)).slice(offset, offset + limit);
        const rope = new Rope().text('{"tasks":').list(blocksOf(chosen)).text('}');
        this.#lastTasks = { key, changes, rope };
        return rope;
      },
    };
  }

  #frameworks(): FrameworkRecord[] {
    const { frameworks, completedFrameworks } = this.#views.core.state;
    return [...frameworks.values(), ...completedFrameworks.values()];
  }

  #refreshTasks(framework: FrameworkRecord, isOver: () => boolean): boolean {
    const texts = this.#views.of(framework);
    const { tasks, unreachable, completed } = this.#views.legacy;
    return (
      texts.tasks.refresh(tasks, isOver) &&
      texts.unreachable.refresh(unreachable, isOver) &&
      texts.completed.refresh(completed, isOver)
    );
  }

  #refreshFrameworks(isOver: () => boolean): boolean {
    const { executors, offers } = this.#views.legacy;
    return this.#frameworks().every((framework) => {
      const texts = this.#views.of(framework);
      return (
        this.#refreshTasks(framework, isOver) &&
        texts.executors.refresh(executors, isOver) &&
        texts.offers.refresh(offers, isOver)
      );
    });
  }

  /** `,"frameworks":[…],"completed_frameworks":[…]` */
  #frameworkLists(): Rope {
    const { frameworks, completedFrameworks } = this.#views.core.state;
    const all = (some: Iterable<FrameworkRecord>): Rope => {
      const elements = new Rope();
      for (const framework of some) elements.text(',').rope(this.#framework(framework));
      return new Rope().list(elements);
    };
    return new Rope()
      .text(',"frameworks":')
      .rope(all(frameworks.values()))
      .text(',"completed_frameworks":')
      .rope(all(completedFrameworks.values()));
  }

  #framework(framework: FrameworkRecord): Rope {
    const { legacy } = this.#views;
    const texts = this.#views.of(framework);
    const { head, tail } = this.#views.frame<Ends>(framework, this, () => {
      const { state } = this.#views.core;
      const before = JSON.stringify(frameworkHead(new Ledger(state), framework));
      const after = JSON.stringify(frameworkTail(framework));
      return {
        head: Buffer.from(`${before.slice(0, -1)},"tasks":`),
        tail: Buffer.from(`,${after.slice(1)}`),
      };
    });
    return new Rope()
      .bytes(head)
      .rope(listOf(texts.tasks, legacy.tasks))
      .text(',"unreachable_tasks":')
      .rope(listOf(texts.unreachable, legacy.unreachable))
      .text(',"completed_tasks":')
      .rope(listOf(texts.completed, legacy.completed))
      .text(',"offers":')
      .rope(listOf(texts.offers, legacy.offers))
      .text(',"executors":')
      .rope(listOf(texts.executors, legacy.executors))
      .bytes(tail);
  }
}

/** Pieces of kept texts, copied one behind the other. */
function blocksOf(
  pieces: readonly { readonly bytes: Uint8Array; readonly from: number; readonly to: number }[],
): Rope {
  const rope = new Rope();
  let block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let size = 0;
  for (const { bytes, from, to } of pieces) {
    if (size + to - from > block.length) {
      rope.bytes(block.subarray(0, size));
      block = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, to - from));
      size = 0;
    }
    block.set(bytes.subarray(from, to), size);
    size += to - from;
  }
  return rope.bytes(block.subarray(0, size));
}
