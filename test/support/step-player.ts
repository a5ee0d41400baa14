// Plays requests one after another against an API server and returns its answers, made comparable: what
// the server draws by itself (ids, times, versions) is left out.
import { Player, type Entry, type PlayerOptions } from '#test/support/kube-differential/player.ts';
import { patient, senderTo, type RawAnswer, type Target } from '#test/support/kube-sender.ts';

type Json = Record<string, unknown>;

export interface Step {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  /** Content type of the body; JSON when it is not said. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Part of the answer that later steps name as @{step} in paths, headers and bodies. */
  readonly keep?: (body: Json) => string;
  /** Asked again until it holds. */
  readonly until?: (status: number, body: Json, warnings: readonly string[]) => boolean;
  /** Nobody compares the answer. */
  readonly isSilent?: boolean;
}

async function raw(target: Target, step: Step): Promise<RawAnswer> {
  const { method, path, body } = step;
  return await patient(senderTo(target))({
    method,
    path,
    headers: {
      'content-type': step.type ?? 'application/json',
      'user-agent': 'steps',
      ...step.headers,
    },
    body:
      body === undefined || typeof body === 'string' || Buffer.isBuffer(body)
        ? body
        : JSON.stringify(body),
  });
}

function bodyOf({ bytes }: RawAnswer): unknown {
  const text = bytes.toString();
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Some errors are plain text.
    return text;
  }
}

function warningsOf({ headers: { warning } }: RawAnswer): readonly string[] {
  return warning === undefined ? [] : String(warning).split(/,\s*(?=299 )/);
}

/** One step by itself. */
export async function sendStep(
  target: Target,
  step: Step,
): Promise<{
  readonly status: number;
  readonly warnings: readonly string[];
  readonly body: unknown;
}> {
  const answer = await raw(target, step);
  return { status: answer.status, warnings: warningsOf(answer), body: bodyOf(answer) };
}

/** On a machine that is busy with other things, too. */
const WAIT_MS = 60_000;
const PAUSE_MS = 25;

async function settled(target: Target, step: Step): Promise<RawAnswer> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const answer = await raw(target, step);
    const body = bodyOf(answer);
    const object = (typeof body === 'object' ? body : {}) as Json;
    const warnings = warningsOf(answer);
    if (step.until === undefined || step.until(answer.status, object, warnings)) return answer;
    if (performance.now() > deadline) throw new Error(`${step.name}: last ${JSON.stringify(body)}`);
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
}

function filled(step: Step, kept: ReadonlyMap<string, string>): Step {
  const fill = <T>(value: T): T =>
    JSON.parse(
      JSON.stringify(value).replaceAll(
        /@\{([^}]+)\}/g,
        (all, name: string) => kept.get(name) ?? all,
      ),
    ) as T;
  return {
    ...step,
    path: fill(step.path),
    ...(step.headers === undefined ? {} : { headers: fill(step.headers) }),
    ...(step.body === undefined ? {} : { body: fill(step.body) }),
  };
}

export async function playSteps(
  target: Target,
  steps: readonly Step[],
  options: PlayerOptions = {},
  kept = new Map<string, string>(),
): Promise<readonly Entry[]> {
  // Controllers write in between: versions tell nothing.
  const player = new Player(senderTo(target), { hasVersions: false, ...options });
  const names = new Set<string>();
  for (const written of steps) {
    const step = kept.size === 0 ? written : filled(written, kept);
    const answer = await settled(target, step);
    if (step.keep !== undefined) kept.set(step.name, step.keep(bodyOf(answer) as Json));
    if (step.isSilent === true) continue;
    if (names.has(step.name)) throw new Error(`Two steps are named ${step.name}`);
    names.add(step.name);
    player.keep(step.name, answer);
  }
  return player.entries;
}
