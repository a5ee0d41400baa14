// `strata why`: why a framework, or a role, has no offers, or a pod no place: the master's explanation
// in words, nearest way to an offer first.
import { Fault, faultCode } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import { headersOf, readAccess, urlOf } from '#mesos/client/access.ts';
import { getJson } from '#mesos/client/http.ts';
import { callMaster, type OperatorOptions } from '#mesos/client/operator-client.ts';
import { Home } from '#supervisor/home.ts';

export interface WhyOptions {
  readonly home: string;
  /** `HOST:PORT`; the home's own without it. */
  readonly master?: string | undefined;
  readonly role?: string | undefined;
  /** Where a pod is looked for. */
  readonly instance: string;
  readonly namespace: string;
  readonly output: string;
  /** File with principal and secret. */
  readonly credential?: string | undefined;
}

type Amounts = Readonly<Record<string, number>>;

/** What is read of an answer of the master's `/allocator/explain`; times in ms since the epoch. */
export interface Explained {
  readonly frameworkId: string;
  readonly frameworkName: string;
  readonly role: string;
  readonly isActive: boolean;
  readonly isSuppressed: boolean;
  readonly openWishes?: number;
  readonly holds: Amounts;
  readonly order: {
    readonly position: number;
    readonly of: number;
    readonly before: readonly { readonly frameworkId: string; readonly role: string }[];
    readonly levels: readonly {
      readonly path: string;
      readonly share: number;
      readonly weight: number;
      readonly position: number;
      readonly siblings: number;
    }[];
  };
  readonly quota: {
    readonly roles: readonly {
      readonly role: string;
      readonly guarantees: Amounts;
      readonly limits: Amounts;
      readonly consumed: Amounts;
    }[];
    readonly surplus: Amounts;
  };
  readonly filters: { readonly count: number; readonly nextEnd?: number };
  readonly agents: {
    readonly total: number;
    readonly byReason: Readonly<Record<string, number>>;
    readonly named: readonly {
      readonly agentId: string;
      readonly hostname: string;
      readonly reason: string;
      readonly free: string;
      readonly until?: number;
    }[];
  };
}

const REQUEST_MS_MAX = 30_000;
const AGENTS_SHOWN_MAX = 10;
const BEFORE_SHOWN_MAX = 5;

function amountsText(amounts: Amounts): string {
  const all = Object.entries(amounts).map(([name, value]) => `${name} ${value}`);
  return all.length === 0 ? 'nothing' : all.join(', ');
}

function agentsText(count: number): string {
  return count === 1 ? '1 agent' : `${count} agents`;
}

function limitText({ quota }: Explained): string {
  const reached = quota.roles.flatMap(({ role, limits, consumed }) =>
    Object.entries(limits).map(([name, limit]) => {
      return { role, name, limit, consumed: consumed[name] ?? 0 };
    }),
  );
  const [nearest] = reached.toSorted(
    (a, b) => a.limit - a.consumed - (b.limit - b.consumed) || b.limit - a.limit,
  );
  if (nearest === undefined) return 'its quota leaves too little';
  const { role, name, limit, consumed } = nearest;
  return `the limit of role '${role}' leaves too little: ${name} ${consumed} of ${limit} is used`;
}

/** From the nearest to an offer to the farthest. */
const sentences: readonly [string, (one: Explained, now: number) => string][] = [
  ['would-be-offered', () => 'nothing stands in the way, it is offered next'],
  [
    'filtered',
    ({ filters }, now) => {
      const seconds = Math.max(0, Math.ceil(((filters.nextEnd ?? now) - now) / 1_000));
      return `it declined what is free there; its next filter ends in ${seconds} s, REVIVE ends all`;
    },
  ],
  [
    'no-wish-fits',
    ({ openWishes = 0 }) =>
      openWishes === 0
        ? 'all that it asked for with REQUEST has been offered'
        : `none of its ${openWishes} open requests fits into what is free`,
  ],
  ['quota-limit', limitText],
  ['quota-headroom', () => 'what is free is kept for guarantees of other roles'],
  ['constraints', () => 'its offer constraints exclude them'],
  ['gpus', () => 'they have GPUs and are kept for frameworks with GPU_RESOURCES'],
  ['other-region', () => 'they are in another region, for frameworks with REGION_AWARE'],
  ['agent-not-multi-role', () => 'they are too old for a framework with MULTI_ROLE'],
  ['agent-not-hierarchical', () => 'they are too old for roles below others'],
  ['too-little', () => 'less is free for the role than the smallest offer'],
  ['nothing-free', () => 'nothing is free'],
  ['agent-inactive', () => 'they are not active'],
];

/** Why there is no offer, in sentences; the first names what is nearest to one. */
export function reasonsOf(one: Explained, now: number): string[] {
  if (!one.isActive) return ['the framework is not connected, or was deactivated'];
  if (one.isSuppressed) return ['it suppressed offers in this role; REVIVE brings them back'];
  if (one.agents.total === 0) return ['no agent is registered'];
  return sentences.flatMap(([reason, say]) => {
    const count = one.agents.byReason[reason] ?? 0;
    return count === 0 ? [] : [`${agentsText(count)}: ${say(one, now)}`];
  });
}

export function whyText(one: Explained, now: number): string {
  const { order, quota, agents } = one;
  const lines = [`${one.frameworkName} (${one.frameworkId}) in role ${one.role}`];
  const row = (name: string, text: string): void => {
    lines.push(`  ${name.padEnd(8)}${text}`);
  };
  for (const [i, reason] of reasonsOf(one, now).entries()) row(i === 0 ? 'why' : '', reason);
  row('holds', amountsText(one.holds));
  const levels = order.levels.map(
    ({ path, share, weight, position, siblings }) =>
      `${path} ${position} of ${siblings} (share ${share.toFixed(3)}, weight ${weight})`,
  );
  const place = order.position === 0 ? 'not in it' : `${order.position} of ${order.of}`;
  row('order', `${place}: ${levels.join(' > ')}`);
  const before = order.before.slice(0, BEFORE_SHOWN_MAX);
  if (before.length > 0 && order.position > 1) {
    const rest = order.position - 1 - before.length;
    const names = before.map(({ frameworkId, role }) => `${frameworkId} in ${role}`).join(', ');
    row('', `before it: ${names}${rest > 0 ? ` and ${rest} more` : ''}`);
  }
  for (const { role, guarantees, limits, consumed } of quota.roles) {
    row(
      'quota',
      `${role}: guaranteed ${amountsText(guarantees)}; limited to ${amountsText(limits)}; used ${amountsText(consumed)}`,
    );
  }
  const shown = agents.named.slice(0, AGENTS_SHOWN_MAX);
  for (const [i, { hostname, agentId, reason, free, until }] of shown.entries()) {
    const end = until === undefined ? '' : ` until ${new Date(until).toISOString()}`;
    row(i === 0 ? 'agents' : '', `${hostname} (${agentId}): ${reason}${end}; free: ${free}`);
  }
  const rest = agents.total - shown.length;
  if (rest > 0) row('', `and ${rest} more`);
  return lines.join('\n');
}

/** Frameworks by id or name; what is neither is taken for a role. */
async function queryOf(master: OperatorOptions, target: string, role: string | undefined) {
  const answer = await callMaster(master, { type: 'GET_FRAMEWORKS' });
  const ids = (answer.get_frameworks?.frameworks ?? [])
    .map(({ framework_info: { id, name } }) => ({ id: id?.value ?? '', name }))
    .filter(({ id, name }) => id === target || name === target)
    .map(({ id }) => id);
  const and = role === undefined ? {} : { role };
  if (ids.length > 0) return ids.map((framework_id) => ({ framework_id, ...and }));
  return [{ role: target }];
}

interface Answer {
  readonly now: number;
  readonly explanations: readonly Explained[];
}

async function ask(master: OperatorOptions, query: Record<string, string>): Promise<Answer> {
  const url = `${master.url}/allocator/explain?${new URLSearchParams(query).toString()}`;
  const signal = AbortSignal.timeout(REQUEST_MS_MAX);
  const request = { url, headers: headersOf(master), tls: master.tls, signal };
  try {
    return (await getJson(request)) as Answer;
  } catch (cause) {
    if (faultCode(cause) !== 'http-status') throw cause;
    // What the master says is the whole of it.
    const { detail } = cause as Fault;
    throw new Fault(detail, `Cannot explain: ${String(detail['text'])}`);
  }
}

async function explain(
  master: OperatorOptions,
  target: string,
  role: string | undefined,
): Promise<readonly Answer[]> {
  const queries = await queryOf(master, target, role);
  return await Promise.all(queries.map((query) => ask(master, query)));
}

function textOf(answers: readonly Answer[]): string {
  return answers
    .flatMap(({ now, explanations }) => explanations.map((one) => whyText(one, now)))
    .join('\n\n');
}

const POD = 'pod/';

async function whyPod(name: string, master: OperatorOptions, options: WhyOptions): Promise<number> {
  const { instance, namespace } = options;
  const { podReason, readPod } = await import('./why-pod.ts');
  const pod = await readPod(new Home(options.home).kubeconfig(instance), { namespace, name });
  const { lines, isForOffers } = podReason(pod);
  const answers = isForOffers ? await explain(master, `kubernetes-${instance}`, undefined) : [];
  if (options.output === 'json') {
    const framework = answers.flatMap(({ explanations }) => explanations);
    const found = { pod: { namespace, name, instance }, reasons: lines, framework };
    process.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
    return 0;
  }
  const head = `pod ${namespace}/${name} of instance ${instance}`;
  const rows = lines.map((line, i) => `  ${(i === 0 ? 'why' : '').padEnd(8)}${line}`);
  const below = isForOffers ? `\n\n${textOf(answers)}` : '';
  process.stdout.write(`${[head, ...rows].join('\n')}${below}\n`);
  return 0;
}

export async function why(target: string, options: WhyOptions, env: Env): Promise<number> {
  const home = new Home(options.home);
  const access = readAccess(options.credential, process.env, env.log);
  const url =
    options.master === undefined
      ? ((home.running() ?? home.lastState())?.masterUrl ?? urlOf(access, '127.0.0.1:5050'))
      : urlOf(access, options.master);
  const master = { url, ...access };
  if (target.startsWith(POD)) return await whyPod(target.slice(POD.length), master, options);
  const answers = await explain(master, target, options.role);
  if (options.output === 'json') {
    const all = answers.flatMap(({ explanations }) => explanations);
    process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
    return 0;
  }
  process.stdout.write(`${textOf(answers)}\n`);
  return 0;
}
