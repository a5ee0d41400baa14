// Plays requests one after another against an API server and returns its answers, made comparable: what
// the server draws by itself (ids, times, versions) is left out.
import type { Agent } from 'node:https';
import { request } from 'node:https';

type Json = Record<string, unknown>;

export interface Step {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  /** Content type of the body; JSON when it is not said. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Part of the answer that later steps name as @{step} in headers and bodies. */
  readonly keep?: (body: Json) => string;
  /** Asked again until it holds. */
  readonly until?: (status: number, body: Json) => boolean;
  /** Nobody compares the answer. */
  readonly isSilent?: boolean;
}

export interface StepAnswer {
  readonly status: number;
  readonly warnings?: readonly string[];
  readonly body: unknown;
}

export type StepAnswers = Record<string, StepAnswer>;

export interface Target {
  readonly server: string;
  readonly agent: Agent;
  /** Without credentials, for steps that bring their own. */
  readonly bare: Agent;
  readonly headers: Readonly<Record<string, string>>;
}

interface Raw {
  readonly status: number;
  readonly warnings: readonly string[];
  readonly body: unknown;
}

export function sendStep(target: Target, step: Step): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const headers = {
      ...target.headers,
      'content-type': step.type ?? 'application/json',
      'user-agent': 'steps',
      ...step.headers,
    };
    const agent = step.headers?.['authorization'] === undefined ? target.agent : target.bare;
    // An empty one: nobody asks.
    if ((headers as Record<string, unknown>)['authorization'] === '') {
      delete (headers as Record<string, unknown>)['authorization'];
    }
    const body =
      step.body === undefined || typeof step.body === 'string'
        ? step.body
        : JSON.stringify(step.body);
    // Node says of a DELETE's body neither that it is there nor how long it is.
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const options = { method: step.method, agent, headers: { ...length, ...headers } };
    const call = request(target.server + step.path, options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const warning = response.headers['warning'];
        let body: unknown = text;
        try {
          body = JSON.parse(text);
        } catch {
          // Some errors are plain text.
        }
        const warnings = warning === undefined ? [] : warning.split(/,\s*(?=299 )/);
        resolve({ status: response.statusCode ?? 0, warnings, body });
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}

const drawn = new Set([
  'uid',
  'creationTimestamp',
  'resourceVersion',
  'lastTransitionTime',
  'lastUpdateTime',
  'lastPhaseTransitionTime',
  'time',
  'deletionTimestamp',
  'selfLink',
  'expirationTimestamp',
]);

/** Without what the server draws by itself. */
export function plainValue(value: unknown): unknown {
  if (typeof value === 'string') {
    return value
      .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UID')
      .replaceAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, 'TOKEN')
      .replaceAll(/kube-api-access-[a-z0-9]{5}/g, 'kube-api-access-DRAWN')
      .replaceAll(/selfType\d+/g, 'selfType')
      .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
      .replaceAll('https://kubernetes.default.svc.cluster.local', 'https://kubernetes.default.svc');
  }
  if (Array.isArray(value)) {
    const all = value.map(plainValue);
    // Entries of managedFields of one second have no order.
    const isOwners = all.every(
      (one) => typeof one === 'object' && one !== null && 'fieldsV1' in one,
    );
    return isOwners ? all.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : all;
  }
  if (typeof value !== 'object' || value === null) return value;
  const keys = Object.keys(value)
    .filter((key) => !drawn.has(key))
    .sort();
  return Object.fromEntries(keys.map((key) => [key, plainValue((value as Json)[key])]));
}

/** Causes come in any order, and with them the parts of the message. */
function failure(body: Json): unknown {
  const details = body['details'] as { causes?: Json[] } | undefined;
  if (details?.causes === undefined) return plainValue(body);
  const causes = details.causes.map((one) => JSON.stringify(plainValue(one))).sort();
  const { message, ...rest } = body;
  const head = String(message).replace(/ is invalid: [\s\S]*$/, ' is invalid');
  return plainValue({ ...rest, message: head, details: { ...details, causes } });
}

const ATTEMPTS_MAX = 400;
const PAUSE_MS = 25;

async function settled(target: Target, step: Step): Promise<Raw> {
  for (let attempt = 0; ; attempt++) {
    const answer = await sendStep(target, step);
    const body = (typeof answer.body === 'object' ? answer.body : {}) as Json;
    if (step.until === undefined || step.until(answer.status, body)) return answer;
    if (attempt >= ATTEMPTS_MAX) throw new Error(`${step.name}: last ${JSON.stringify(answer)}`);
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
    ...(step.headers === undefined ? {} : { headers: fill(step.headers) }),
    ...(step.body === undefined ? {} : { body: fill(step.body) }),
  };
}

export async function playSteps(target: Target, steps: readonly Step[]): Promise<StepAnswers> {
  const found: StepAnswers = {};
  const kept = new Map<string, string>();
  for (const written of steps) {
    const step = kept.size === 0 ? written : filled(written, kept);
    const { status, body, warnings } = await settled(target, step);
    if (step.keep !== undefined) kept.set(step.name, step.keep(body as Json));
    if (step.isSilent === true) continue;
    const shown =
      status >= 400 && typeof body === 'object' ? failure(body as Json) : plainValue(body);
    if (found[step.name] !== undefined) throw new Error(`Two steps are named ${step.name}`);
    found[step.name] = {
      status,
      ...(warnings.length === 0
        ? {}
        : { warnings: warnings.map((one) => String(plainValue(one))) }),
      body: shown,
    };
  }
  return found;
}
