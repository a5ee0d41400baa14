// Plays scenarios/allocator/*.txt: blocks of commands, a line of dashes, what is then offered.
// STRATA_UPDATE_SCENARIOS=1 writes what happened into the files, for review.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseResources } from '#mesos/resources/parse.ts';
import { Resources } from '#mesos/resources/resources.ts';
import { AllocatorCore, type Allocation } from './allocator-core.ts';

const folder = join(import.meta.dirname, '../../../scenarios/allocator');

function bag(words: readonly string[]): Resources {
  return Resources.of(parseResources(words.join(';').replaceAll('=', ':')));
}

function shown(resources: Resources): string {
  const words = resources.toWire().map(({ name, scalar, ranges, reservations }) => {
    const role = reservations?.at(-1)?.role;
    const list = (ranges?.range ?? []).map(({ begin, end }) => `${begin}-${end}`);
    const amount = scalar === undefined ? `[${list.join(',')}]` : String(scalar.value);
    return `${name}${role === undefined ? '' : `(${role})`}=${amount}`;
  });
  return words.join(' ');
}

function option(words: readonly string[], name: string): string | undefined {
  return words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
}

class Player {
  readonly #allocator = new AllocatorCore();
  readonly #offers = new Map<string, Allocation>();
  readonly #tasks = new Map<string, Allocation>();
  #now = 0;

  /** Lines of what the command made the allocator offer. */
  play(line: string): string[] {
    const [command = '', name = '', ...words] = line.split(/\s+/);
    const allocator = this.#allocator;
    switch (command) {
      case 'add-agent':
        allocator.addAgent(name, bag(words));
        return [];
      case 'remove-agent':
        allocator.removeAgent(name);
        return [];
      case 'add-framework':
        allocator.addFramework(name, {
          roles: (option(words, 'roles') ?? '*').split(','),
          suppressedRoles: words.includes('suppressed')
            ? (option(words, 'roles') ?? '*').split(',')
            : [],
          isRevocable: false,
          isGpuAware: words.includes('gpu'),
        });
        return [];
      case 'weight':
        allocator.setWeight(name, Number(words[0]));
        return [];
      case 'revive':
        allocator.revive(name, words);
        return [];
      case 'suppress':
        allocator.suppress(name, words);
        return [];
      case 'request':
        allocator.setWishes(name, [
          {
            agentId: option(words, 'on'),
            resources: bag(words.filter((word) => !word.startsWith('on='))).toWire(),
          },
        ]);
        return [];
      case 'wait':
        this.#now += Number(name.replace(/s$/, '')) * 1_000;
        return [];
      case 'allocate':
        return this.#allocate();
      default:
        this.#outcome(command, name, words);
        return [];
    }
  }

  #allocate(): string[] {
    this.#allocator.expireFilters(this.#now);
    if (!this.#allocator.isDirty) return [];
    return this.#allocator.allocate(this.#now).map((one) => {
      const { frameworkId, agentId, role, resources } = one;
      this.#offers.set(`${frameworkId}@${agentId}`, one);
      return `offer ${frameworkId}@${agentId} ${role}: ${shown(resources)}`;
    });
  }

  #outcome(command: string, key: string, words: readonly string[]): void {
    const from = command === 'finish' ? this.#tasks : this.#offers;
    const one = from.get(key);
    assert.ok(one !== undefined, `nothing to ${command}: ${key}`);
    from.delete(key);
    const { frameworkId, agentId, role, resources } = one;
    const refuseMs = Number(option(words, 'refuse')?.replace(/s$/, '') ?? 0) * 1_000;
    const refusal = { refuseMs, now: this.#now };
    let left = resources;
    if (command === 'launch') {
      const task = bag(words.filter((word) => !word.startsWith('refuse='))).allocatedTo(role);
      this.#tasks.set(key, { ...one, resources: task });
      left = left.subtract(task);
    } else assert.ok(command === 'decline' || command === 'finish', `no command ${command}`);
    this.#allocator.recover(frameworkId, agentId, left, refusal);
  }
}

for (const file of readdirSync(folder).filter((name) => name.endsWith('.txt'))) {
  test(`scenarios/allocator/${file}`, () => {
    const path = join(folder, file);
    const text = readFileSync(path, 'utf8');
    const player = new Player();
    const blocks = text
      .trimEnd()
      .split('\n\n')
      .map((block) => {
        const lines = block.split('\n');
        const dashes = lines.indexOf('----');
        const head = dashes < 0 ? lines : lines.slice(0, dashes);
        const commands = head
          .map((line) => line.replace(/\s*#.*$/, ''))
          .filter((line) => line !== '');
        const happened = commands.flatMap((line) => player.play(line));
        return [...head, '----', ...happened].join('\n');
      });
    const played = `${blocks.join('\n\n')}\n`;
    if (process.env['STRATA_UPDATE_SCENARIOS'] === '1') writeFileSync(path, played);
    else assert.equal(played, text);
  });
}
