// GET_STATE, GET_AGENTS, GET_FRAMEWORKS, GET_EXECUTORS and GET_TASKS out of kept texts, in JSON or
// protobuf: what operator-answers.ts says afresh, for readers who may see everything.
import type { MasterCall, MasterResponse, Messages } from '#wire/mesos/v1.ts';
import type { MessageName } from '#wire/mesos/codec.ts';
import type { Forms, FrameworkTexts, KeptViews } from './kept-views.ts';
import { jsonNotation, protobufNotation, type Holes, type Notation } from './notation.ts';
import { frameworkWire } from './operator-answers.ts';
import type { ContentType } from '#mesos/libprocess/negotiate.ts';
import { Rope } from './rope.ts';
import type { View } from './shared-views.ts';
import type { FrameworkRecord } from './types.ts';

type Part = 'get_tasks' | 'get_executors' | 'get_frameworks' | 'get_agents';

const parts: Readonly<Record<string, Part>> = {
  GET_TASKS: 'get_tasks',
  GET_EXECUTORS: 'get_executors',
  GET_FRAMEWORKS: 'get_frameworks',
  GET_AGENTS: 'get_agents',
};
const allParts: readonly Part[] = ['get_tasks', 'get_executors', 'get_frameworks', 'get_agents'];

const frameworkLists = {
  frameworks: {
    message: 'MasterResponse_GetFrameworks',
    field: 'frameworks',
    element: 'MasterResponse_GetFrameworks_Framework',
  },
  completed_frameworks: {
    message: 'MasterResponse_GetFrameworks',
    field: 'completed_frameworks',
    element: 'MasterResponse_GetFrameworks_Framework',
  },
} as const;

export class KeptAnswers {
  readonly #views: KeptViews;

  constructor(views: KeptViews) {
    this.#views = views;
  }

  /** Undefined for calls whose answers are small. */
  view(call: MasterCall, type: ContentType): View | undefined {
    const isState = call.type === 'GET_STATE';
    const part = parts[call.type ?? ''];
    const wanted = isState ? allParts : part === undefined ? [] : [part];
    if (wanted.length === 0) return undefined;
    const writer = new AnswerWriter(this.#views, type);
    return {
      refresh: (isOver) => wanted.every((one) => writer.refresh(one, isOver)),
      compose: () => {
        const response = { type: call.type } as MasterResponse;
        if (part !== undefined) return writer.message('MasterResponse', response, [part]);
        const state = writer.message('MasterResponse_GetState', {}, allParts);
        const holes = { messages: ['get_state'] };
        return writer.fill('MasterResponse', response, holes, { get_state: state });
      },
    };
  }
}

/** Writes parts of one answer in one notation. */
class AnswerWriter {
  readonly #views: KeptViews;
  readonly #notation: Notation;
  readonly #forms: Forms;

  constructor(views: KeptViews, type: ContentType) {
    this.#views = views;
    const isJson = type === 'application/json';
    this.#notation = isJson ? jsonNotation : protobufNotation;
    this.#forms = isJson ? views.json : views.protobuf;
  }

  refresh(part: Part, isOver: () => boolean): boolean {
    const forms = this.#forms;
    switch (part) {
      case 'get_agents':
        return (
          this.#views.agents.refresh(forms.agents, isOver) &&
          this.#views.recovered.refresh(forms.recovered, isOver)
        );
      case 'get_tasks':
        return this.#each(
          ({ tasks, unreachable, completed }) =>
            tasks.refresh(forms.tasks, isOver) &&
            unreachable.refresh(forms.unreachable, isOver) &&
            completed.refresh(forms.completed, isOver),
        );
      case 'get_executors':
        return this.#each(({ executors }) => executors.refresh(forms.executors, isOver));
      case 'get_frameworks':
        return this.#each(({ offers }) => offers.refresh(forms.offers, isOver));
    }
  }

  message<N extends MessageName>(
    name: N,
    value: Partial<Messages[N]>,
    fields: readonly Part[],
  ): Rope {
    const ropes = Object.fromEntries(fields.map((part) => [part, this.#part(part)]));
    return this.fill(name, value, { messages: fields }, ropes);
  }

  fill<N extends MessageName>(
    name: N,
    value: Partial<Messages[N]>,
    holes: Holes,
    ropes: Readonly<Record<string, Rope>>,
  ): Rope {
    return this.#notation.frame(name, value, holes).fill(ropes);
  }

  #part(part: Part): Rope {
    switch (part) {
      case 'get_agents':
        return this.#lists('MasterResponse_GetAgents', {
          agents: Rope.of(this.#views.agents.parts(this.#forms.agents)),
          recovered_agents: Rope.of(this.#views.recovered.parts(this.#forms.recovered)),
        });
      case 'get_tasks':
        return this.#tasks();
      case 'get_executors': {
        const executors = new Rope();
        for (const framework of this.#live()) {
          const texts = this.#views.of(framework);
          executors.rope(Rope.of(texts.executors.parts(this.#forms.executors)));
        }
        return this.#lists('MasterResponse_GetExecutors', { executors });
      }
      case 'get_frameworks': {
        const { frameworks, completedFrameworks } = this.#views.core.state;
        return this.#lists('MasterResponse_GetFrameworks', {
          frameworks: this.#frameworks(frameworks.values(), 'frameworks'),
          completed_frameworks: this.#frameworks(
            completedFrameworks.values(),
            'completed_frameworks',
          ),
        });
      }
    }
  }

  #lists(name: MessageName, ropes: Readonly<Record<string, Rope>>): Rope {
    return this.fill(name, {}, { lists: Object.keys(ropes) }, ropes);
  }

  #live(): Iterable<FrameworkRecord> {
    return this.#views.core.state.frameworks.values();
  }

  #each(test: (texts: FrameworkTexts) => boolean): boolean {
    const { frameworks, completedFrameworks } = this.#views.core.state;
    for (const one of frameworks.values()) if (!test(this.#views.of(one))) return false;
    for (const one of completedFrameworks.values()) if (!test(this.#views.of(one))) return false;
    return true;
  }

  #tasks(): Rope {
    const { frameworks, completedFrameworks } = this.#views.core.state;
    const [tasks, unreachable_tasks, completed_tasks] = [new Rope(), new Rope(), new Rope()];
    for (const framework of [...frameworks.values(), ...completedFrameworks.values()]) {
      const texts = this.#views.of(framework);
      tasks.rope(Rope.of(texts.tasks.parts(this.#forms.tasks)));
      unreachable_tasks.rope(Rope.of(texts.unreachable.parts(this.#forms.unreachable)));
      completed_tasks.rope(Rope.of(texts.completed.parts(this.#forms.completed)));
    }
    return this.#lists('MasterResponse_GetTasks', { tasks, unreachable_tasks, completed_tasks });
  }

  #frameworks(some: Iterable<FrameworkRecord>, field: keyof typeof frameworkLists): Rope {
    const all = new Rope();
    for (const framework of some) {
      const offers = Rope.of(this.#views.of(framework).offers.parts(this.#forms.offers));
      const frame = this.#views.frame(framework, this.#notation, () => {
        const value = frameworkWire(this.#views.core, framework);
        // A list that is empty is not written.
        const lists = offers.length === 0 ? [] : ['offers'];
        return this.#notation.frame('MasterResponse_GetFrameworks_Framework', value, { lists });
      });
      all.rope(this.#notation.element(frameworkLists[field], frame.fill({ offers })));
    }
    return all;
  }
}
