// Stories of the allocator as text, for tests: what happens line by line, and what is then offered.
// `> FRAMEWORK ROLE AGENT RESOURCES`: offered after the lines before it, and nothing else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResources } from '#mesos/resources/parse.ts';
import { Resources } from '#mesos/resources/resources.ts';
import { resourcesText } from '#mesos/resources/text.ts';
import type { Resource } from '#wire/mesos/v1.ts';
import { AllocatorCore, type Allocation, type FrameworkSettings } from './allocator-core.ts';

/** `cpus(role):1`, `disk[mount]:10` (a whole disk), `disk[v1](role)<S>:5` (a volume), `cpus{R}:1`. */
export function bag(text: string): Resources {
  const all = text.split(';').flatMap((part): Resource[] => {
    const [, name = '', disk, role, mark, amount = ''] =
      /^(\w+)(?:\[(\w+)\])?(?:\(([\w/-]+)\))?(<S>|\{R\})?:(.+)$/.exec(part) ?? [];
    const [plain] = parseResources(`${name}:${amount}`);
    assert.ok(plain !== undefined, `no resource: ${part}`);
    const source = { type: 'MOUNT' as const, mount: { root: '/m' } };
    const volume = {
      persistence: { id: disk ?? '' },
      volume: { container_path: 'p', mode: 'RW' as const },
    };
    return [
      {
        ...plain,
        ...(role === undefined ? {} : { reservations: [{ type: 'DYNAMIC' as const, role }] }),
        ...(disk === undefined ? {} : { disk: disk === 'mount' ? { source } : volume }),
        ...(mark === '<S>' ? { shared: {} } : mark === '{R}' ? { revocable: {} } : {}),
      },
    ];
  });
  return Resources.of(all);
}

export function settings(roles: string, words: readonly string[]): FrameworkSettings {
  const has = (word: string): boolean => words.includes(word);
  const list = roles.split(',');
  const minimums = words.find((word) => word.startsWith('min='))?.slice(4);
  return {
    roles: list,
    suppressedRoles: has('suppressed') ? list : [],
    isRevocable: has('revocable'),
    isGpuAware: has('gpus'),
    isShared: has('shared'),
    isRefining: has('refining'),
    isRegionAware: has('regions'),
    isMultiRole: has('multi-role'),
    ...(minimums === undefined
      ? {}
      : {
          minimums: new Map(
            list.map((role) => [role, minimums === '' ? [] : [bag(minimums).scalarQuantities()]]),
          ),
        }),
  };
}

class Story {
  readonly #allocator: AllocatorCore;
  readonly #held = new Map<string, Resources>();
  #now = 0;
  #offers: Allocation[] = [];

  constructor(first: string) {
    const words = first.startsWith('options') ? first.split(' ') : [];
    const option = (name: string): string | undefined =>
      words.find((one) => one.startsWith(`${name}=`))?.split('=')[1];
    const excluded = option('excluded');
    const region = option('region');
    this.#allocator = new AllocatorCore({
      ...(excluded === undefined ? {} : { excludedNames: [excluded] }),
      ...(option('minimums') === 'none' ? { minimums: [] } : {}),
      ...(option('gpus') === 'open' ? { isGpuFiltered: false } : {}),
      ...(region === undefined ? {} : { region }),
    });
  }

  play(line: string): void {
    const [command = '', ...words] = line.split(/\s+/);
    if (command === 'options') return;
    this.#play(command, words);
    this.#allocator.expireFilters(this.#now);
    while (this.#allocator.isDirty) {
      for (const one of this.#allocator.allocate(this.#now)) {
        this.#offers.push(one);
        const key = `${one.frameworkId} ${one.agentId}`;
        this.#held.set(key, (this.#held.get(key) ?? Resources.none).add(one.resources));
      }
    }
  }

  take(): string[] {
    return this.#offers.splice(0).map(({ frameworkId, role, agentId, resources }) => {
      const text = resourcesText(resources.allocatedTo(undefined));
      return `${frameworkId} ${role} ${agentId} ${text.split('; ').toSorted().join('; ')}`;
    });
  }

  #play(command: string, words: readonly string[]): void {
    const allocator = this.#allocator;
    const [one = '', two = '', three = '', four = ''] = words;
    const facts = {
      hostname: one,
      isMultiRole: !words.includes('old'),
      isHierarchical: !words.includes('old'),
      ...(words.includes('far')
        ? { domain: { fault_domain: { region: { name: 'far' }, zone: { name: 'z' } } } }
        : {}),
    };
    const quantities = (text: string) => bag(text).scalarQuantities();
    switch (command) {
      case 'agent':
        allocator.addAgent(one, bag(two), facts);
        return;
      case 'total':
        allocator.updateAgent(one, bag(two));
        return;
      case 'upgraded':
        allocator.setAgentFacts(one, { ...facts, isMultiRole: true, isHierarchical: true });
        return;
      case 'agent-gone':
        this.#forget((key) => key.endsWith(` ${one}`));
        allocator.removeAgent(one);
        return;
      case 'agent-off':
      case 'agent-on':
        allocator.setAgentActive(one, command === 'agent-on');
        return;
      case 'framework':
        allocator.addFramework(one, settings(two, words.slice(2)));
        return;
      case 'updated':
        allocator.updateFramework(one, settings(two, words.slice(2)));
        return;
      case 'off':
      case 'on':
        if (command === 'off') this.#forget((key) => key.startsWith(`${one} `));
        allocator.setFrameworkActive(one, command === 'on');
        return;
      case 'suppress':
        allocator.suppress(one, words.slice(1));
        return;
      case 'revive':
        allocator.revive(one, words.slice(1));
        return;
      case 'quota':
        allocator.setQuota(one, { guarantees: quantities(two), limits: quantities(two) });
        return;
      case 'limit':
        allocator.setQuota(one, { guarantees: new Map(), limits: quantities(two) });
        return;
      case 'zero-limit': {
        const limits = new Map(two.split(',').map((name) => [name, 0]));
        allocator.setQuota(one, { guarantees: new Map(), limits });
        return;
      }
      case 'no-quota':
        allocator.setQuota(one, undefined);
        return;
      case 'weight':
        allocator.setWeight(one, Number(two));
        return;
      case 'wait':
        this.#now += Number(one) * 1_000;
        return;
      case 'held': {
        const resources = bag(four).allocatedTo(two);
        allocator.trackAllocated(one, three, resources);
        this.#held.set(`${one} ${three}`, resources);
        return;
      }
      default:
        this.#outcome(command, one, two, three, four);
    }
  }

  #forget(which: (key: string) => boolean): void {
    for (const [key, resources] of this.#held) {
      if (!which(key)) continue;
      this.#held.delete(key);
      const [frameworkId = '', agentId = ''] = key.split(' ');
      this.#allocator.recover(frameworkId, agentId, resources);
    }
  }

  #outcome(
    command: string,
    frameworkId: string,
    agentId: string,
    text: string,
    more: string,
  ): void {
    const allocator = this.#allocator;
    const key = `${frameworkId} ${agentId}`;
    const held = this.#held.get(key) ?? Resources.none;
    const role = held.kinds()[0]?.allocation_info?.role;
    switch (command) {
      case 'decline':
        this.#held.delete(key);
        allocator.recover(frameworkId, agentId, held, {
          refuseMs: Number(text) * 1_000,
          now: this.#now,
        });
        return;
      case 'return': {
        const part = bag(text).allocatedTo(role);
        assert.ok(held.contains(part), `${key} does not hold ${text}`);
        this.#held.set(key, held.subtract(part));
        const refusal = { refuseMs: Number(more === '' ? 0 : more) * 1_000, now: this.#now };
        allocator.recover(frameworkId, agentId, part, refusal);
        return;
      }
      case 'turn': {
        const [consumed, converted] = [bag(text).allocatedTo(role), bag(more).allocatedTo(role)];
        assert.ok(held.contains(consumed), `${key} does not hold ${text}`);
        this.#held.set(key, held.subtract(consumed).add(converted));
        allocator.convertAllocated(frameworkId, agentId, { consumed, converted });
        return;
      }
      case 'turn-free': {
        const conversion = { consumed: bag(agentId), converted: bag(text) };
        const refused = allocator.convertAvailable(frameworkId, [conversion]);
        assert.equal(refused !== undefined, more === 'refused', refused ?? 'not refused');
        return;
      }
      default:
        assert.fail(`no command ${command}`);
    }
  }
}

function expected(line: string): string {
  const [framework, role, agent, resources = ''] = line.slice(2).split(/\s+/);
  const text = resourcesText(bag(resources)).split('; ').toSorted().join('; ');
  return `${framework} ${role} ${agent} ${text}`;
}

export function story(name: string, text: string): void {
  test(name, () => {
    const lines = text
      .trim()
      .split('\n')
      .map((line) => line.trim().replace(/\s*#.*$/, ''))
      .filter((line) => line !== '');
    const play = new Story(lines[0] ?? '');
    for (let i = 0; i < lines.length;) {
      const begin = i;
      while (i < lines.length && lines[i]?.startsWith('>') === false) play.play(lines[i++] ?? '');
      const wanted: string[] = [];
      while (lines[i]?.startsWith('>') === true) {
        if (lines[i] !== '> nothing') wanted.push(expected(lines[i] ?? ''));
        i++;
      }
      const where = lines.slice(begin, i).join(' | ');
      assert.deepEqual(play.take().toSorted(), wanted.toSorted(), where);
    }
  });
}
