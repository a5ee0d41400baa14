// The components that an API server knows of, and how well they are: v1 ComponentStatus, which nobody stores (upstream's
// pkg/registry/core/componentstatus): the store, and whoever listens on this machine as scheduler and controllers.
import { request } from 'node:https';
import { errorChain } from '#base/fault.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { notFound } from '#kube/meta/status.ts';
import type { Store } from '#store/store.ts';
import { dialText } from './dial-errors.ts';

const PROBE_MS_MAX = 20_000;
const HOST = '127.0.0.1';

/** The ports that upstream's programs have when nobody says another one. */
const defaultPorts = { 'controller-manager': 10_257, scheduler: 10_259 } as const;

export type Component = keyof typeof defaultPorts;

export interface ComponentOptions {
  readonly store: Pick<Store, 'current'>;
  /** Whether it is of this process, where it listens nowhere. */
  readonly runsHere?: ((component: Component) => boolean) | undefined;
  readonly ports?: Readonly<Record<Component, number>> | undefined;
}

interface Health {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly message?: string;
  readonly error?: string;
}

const well: Health = { status: 'True', message: 'ok' };

/** As upstream's probe over HTTP says it. */
function judged(status: number, body: string): Health {
  if (status >= 200 && status < 300) return { status: 'True', message: body };
  if (status >= 300 && status < 400) {
    return { status: 'Unknown', message: `Probe terminated redirects, Response body: ${body}` };
  }
  return { status: 'False', message: `HTTP probe failed with statuscode: ${status}` };
}

/** Whoever it is that listens there: nobody asks for its certificate. */
function probe(port: number): Promise<Health> {
  const url = `https://${HOST}:${port}/healthz`;
  return new Promise((done) => {
    const fail = (error: Error): void => {
      const why = dialText({ host: HOST, port }, error);
      done({ status: 'False', message: `Get "${url}": ${why}` });
    };
    const options = {
      rejectUnauthorized: false,
      signal: AbortSignal.timeout(PROBE_MS_MAX),
      agent: false,
    };
    const asked = request(url, options, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', fail);
      answer.on('end', () =>
        done(judged(answer.statusCode ?? 0, Buffer.concat(chunks).toString())),
      );
    });
    asked.on('error', fail).end();
  });
}

export class ComponentStatuses {
  readonly #checks: ReadonlyMap<string, () => Promise<Health>>;

  constructor({ store, runsHere, ports = defaultPorts }: ComponentOptions) {
    const of = (component: Component) => async (): Promise<Health> =>
      runsHere?.(component) === true ? well : await probe(ports[component]);
    const ofStore = async (): Promise<Health> => {
      try {
        await store.current();
        return well;
      } catch (error) {
        return { status: 'False', error: errorChain(error) };
      }
    };
    // Whatever the store is: the model is etcd's, and so is the name.
    this.#checks = new Map([
      ['controller-manager', of('controller-manager')],
      ['etcd-0', ofStore],
      ['scheduler', of('scheduler')],
    ]);
  }

  /** Throws ApiError 404. */
  async get(name: string): Promise<KubeObject> {
    const check = this.#checks.get(name);
    if (check === undefined) throw notFound({ group: '', resource: 'componentstatus' }, name);
    const condition = { type: 'Healthy', ...(await check()) };
    return {
      kind: 'ComponentStatus',
      apiVersion: 'v1',
      metadata: { name },
      conditions: [condition],
    } as KubeObject;
  }

  async list(): Promise<KubeObject[]> {
    return await Promise.all([...this.#checks.keys()].map((name) => this.get(name)));
  }
}
