// The allocator's own endpoints: whom constraints exclude, as a real Mesos 1.11 master tells it, and
// why there is no offer, with `strata why` on top.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { createEnv } from '#env/node/env.ts';
import { SchedulerClient } from '#mesos/client/scheduler-client.ts';
import { AgentMachine, realMaster } from '#test/support/agent-machine.ts';
import { eventually, root } from '#test/support/cluster.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });

/** Declines everything for long; only agents of rack b are for its role `picky`. */
class Picky {
  readonly client: SchedulerClient;
  offered = 0;

  constructor(masterUrl: string) {
    this.client = new SchedulerClient(
      {
        masterUrl,
        contentType: 'application/json',
        framework: {
          user: 'root',
          name: 'picky-framework',
          roles: ['picky', 'easy', 'quiet'],
          capabilities: [{ type: 'MULTI_ROLE' }],
        },
        suppressedRoles: ['quiet'],
        offerConstraints: {
          role_constraints: {
            picky: {
              groups: [
                {
                  attribute_constraints: [
                    {
                      selector: { attribute_name: 'rack' },
                      predicate: { text_equals: { value: 'b' } },
                    },
                  ],
                },
              ],
            },
          },
        },
      },
      {
        onEvent: (event) => {
          const offers = event.offers?.offers ?? [];
          this.offered += offers.length;
          if (offers.length === 0) return;
          const offer_ids = offers.map(({ id }) => id);
          const decline = { offer_ids, filters: { refuse_seconds: 1_000 } };
          this.client.call({ type: 'DECLINE', decline }).catch(() => {});
        },
        onDisconnected: () => {},
        onError: () => {},
      },
      env,
    );
    this.client.start();
  }
}

interface Constraints {
  readonly frameworks: Record<
    string,
    {
      readonly suppressed_roles: string[];
      readonly excluded_by_attribute_constraints: Record<string, string[]>;
    }
  >;
}

function stories(kind: 'real' | 'own'): void {
  const machine = new AgentMachine(kind);
  let framework: Picky;
  before(async () => {
    await machine.start(['--attributes', 'rack:a']);
    framework = new Picky(machine.masterUrl);
    await eventually('an offer', async () => (framework.offered > 0 ? true : undefined));
  });
  after(async () => {
    framework.client.close();
    await machine.close();
  });

  test('offer_constraints_debug names excluded agents and suppressed roles', async () => {
    const url = `${machine.masterUrl}/allocator/offer_constraints_debug`;
    const answer = await fetch(url);
    assert.equal(answer.status, 200);
    const { frameworks } = (await answer.json()) as Constraints;
    const id = framework.client.frameworkId ?? '';
    assert.deepEqual(Object.keys(frameworks), [id]);
    assert.deepEqual(frameworks[id]?.suppressed_roles, ['quiet']);
    const excluded = frameworks[id]?.excluded_by_attribute_constraints ?? {};
    assert.deepEqual(
      Object.entries(excluded)
        .map(([role, agents]) => [role, agents.length])
        .toSorted(),
      [
        ['easy', 0],
        ['picky', 1],
        ['quiet', 0],
      ],
    );
  });

  if (kind === 'real') return;

  const explain = (query: string) => fetch(`${machine.masterUrl}/allocator/explain${query}`);

  test('explain: bad questions are refused', async () => {
    for (const [query, status, text] of [
      ['', 400, "Missing 'framework_id' or 'role' query parameter"],
      ['?framework_id=x', 404, 'No framework found with specified ID'],
      ['?role=x', 404, "No framework is subscribed to the role 'x'"],
      [
        `?framework_id=${framework.client.frameworkId}&role=x`,
        404,
        "The framework is not subscribed to the role 'x'",
      ],
    ] as const) {
      const answer = await explain(query);
      assert.deepEqual([answer.status, await answer.text()], [status, text]);
    }
  });

  test('strata why: each role has its own reason', async () => {
    const run = promisify(execFile);
    const master = `127.0.0.1:${machine.masterPort}`;
    const command = [join(root, 'src/bin/strata.ts'), 'why', 'picky-framework'];
    const text = await eventually('the declined offer is back', async () => {
      const { stdout } = await run(process.execPath, [...command, '--master', master]);
      return stdout.includes('it declined') ? stdout : undefined;
    });
    const [picky = '', easy = '', quiet = ''] = text.split('\n\n');
    assert.match(picky, /in role picky\n {2}why {5}1 agent: its offer constraints exclude them\n/);
    assert.match(easy, /in role easy\n {2}why {5}1 agent: it declined what is free there/);
    assert.match(quiet, /in role quiet\n {2}why {5}it suppressed offers in this role/);
    const byRole = await run(process.execPath, [
      ...command.slice(0, 2),
      'easy',
      '--master',
      master,
      '-o',
      'json',
    ]);
    const [one] = JSON.parse(byRole.stdout) as { role: string; filters: { count: number } }[];
    assert.equal(one?.role, 'easy');
    assert.equal(one?.filters.count, 1);
  });
}

const noReal = existsSync(realMaster) ? false : 'no real Mesos (set STRATA_REAL_MESOS)';
suite("the allocator's endpoints of Strata's master", () => stories('own'));
suite("the allocator's endpoints of a real Mesos master", { skip: noReal }, () => stories('real'));
