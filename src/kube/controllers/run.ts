// Starts all controllers of an instance over shared caches.
import type { Env } from '#env/env.ts';
import type { RestClient } from '#kube/client/rest-client.ts';
import { Cache, startController, type Controller, type ControllerServices } from './controller.ts';
import { deploymentController } from './deployment/controller.ts';
import { endpointsController } from './endpoints/controller.ts';
import { garbageController } from './garbage/controller.ts';
import { namespaceController } from './namespace/controller.ts';
import { replicaSetController } from './replicaset/controller.ts';
import { serviceAccountController } from './serviceaccount/controller.ts';

export interface ControllersOptions {
  readonly client: RestClient;
  /** PEM of the certificate that pods verify the API server by. */
  readonly rootCa: string;
}

const makers: readonly ((services: ControllerServices) => Controller)[] = [
  namespaceController,
  serviceAccountController,
  replicaSetController,
  deploymentController,
  garbageController,
  endpointsController,
];

export function startControllers(
  { client, rootCa }: ControllersOptions,
  env: Env,
): { close(): void } {
  const caches = new Map<string, Cache>();
  const cache = (path: string): Cache => {
    let found = caches.get(path);
    if (found === undefined) {
      found = new Cache(path, client, env);
      caches.set(path, found);
    }
    return found;
  };
  const services: ControllerServices = { client, env, cache, rootCa };
  const running = makers.map((make) => startController(make(services), env));
  return {
    close() {
      for (const one of running) one.close();
      for (const one of caches.values()) one.close();
    },
  };
}
