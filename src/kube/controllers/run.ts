// Starts all controllers of an instance over shared informers.
import type { Env } from '#env/env.ts';
import type { KubeClient } from '#kube/client/client.ts';
import { InformerPool } from '#kube/client/informer-pool.ts';
import { keyOf } from '#kube/client/informer-store.ts';
import { serviceAccounts } from '#kube/client/resources.ts';
import type { Authority } from '#kube/pki/authority.ts';
import { addressRepairController, nodePortRepairController } from './addressrepair/controller.ts';
import { certificateController } from './certificates/controller.ts';
import { clusterRoleAggregationController } from './clusterroleaggregation/controller.ts';
import { cronJobController } from './cronjob/controller.ts';
import { daemonSetController } from './daemonset/controller.ts';
import { deploymentController } from './deployment/controller.ts';
import { disruptionController } from './disruption/controller.ts';
import { staleDisruptionController } from './disruption/stale.ts';
import { endpointsController } from './endpoints/controller.ts';
import { endpointSliceMirroringController } from './endpointslicemirroring/controller.ts';
import type { Controller, ControllerServices, SecretTokens } from './frame.ts';
import { garbageController } from './garbage/controller.ts';
import { jobController } from './job/controller.ts';
import { namespaceController } from './namespace/controller.ts';
import { nodeLifecycleController } from './nodelifecycle/controller.ts';
import { podGcController } from './podgc/controller.ts';
import { policyStatusController } from './policystatus/controller.ts';
import { replicaSetController } from './replicaset/controller.ts';
import { replicationControllerController } from './replicationcontroller/controller.ts';
import { resourceQuotaController } from './resourcequota/controller.ts';
import { rootCaController } from './rootca/controller.ts';
import { serviceAccountController } from './serviceaccount/controller.ts';
import { tokenCleaner } from './serviceaccounttokens/cleaner.ts';
import { tokensController } from './serviceaccounttokens/controller.ts';
import { serviceCidrController } from './servicecidrs/controller.ts';
import { statefulSetController } from './statefulset/controller.ts';
import { ttlController } from './ttl/controller.ts';
import { ttlAfterFinishedController } from './ttlafterfinished/controller.ts';
import { volumeBinderController } from './volumebinder/controller.ts';
import {
  claimProtectionController,
  classProtectionController,
  volumeProtectionController,
} from './volumeprotection/controller.ts';

export interface ControllersOptions {
  readonly client: KubeClient;
  /** PEM of the certificate that pods verify the API server by. */
  readonly rootCa: string;
  /** Signs certificates of clients and nodes. */
  readonly signer?: Pick<Authority, 'sign'> | undefined;
  /** Makes tokens for secrets. */
  readonly tokens?: SecretTokens | undefined;
}

const makers: readonly ((services: ControllerServices) => Controller)[] = [
  namespaceController,
  serviceAccountController,
  rootCaController,
  garbageController,
  replicaSetController,
  replicationControllerController,
  deploymentController,
  daemonSetController,
  statefulSetController,
  jobController,
  cronJobController,
  ttlAfterFinishedController,
  ttlController,
  endpointsController,
  endpointSliceMirroringController,
  nodeLifecycleController,
  podGcController,
  disruptionController,
  staleDisruptionController,
  clusterRoleAggregationController,
  resourceQuotaController,
  volumeBinderController,
  claimProtectionController,
  volumeProtectionController,
  classProtectionController,
  certificateController,
  serviceCidrController,
  addressRepairController,
  nodePortRepairController,
  tokensController,
  tokenCleaner,
  policyStatusController,
];

export interface RunningControllers {
  /** Resolves when all of them work; never when the server does not answer. */
  readonly ready: Promise<void>;
  /** Resolves when the default namespace has its service account: pods are refused there before. */
  readonly usable: Promise<void>;
  close(): Promise<void>;
}

/** The client stays the caller's to close. */
export function startControllers(options: ControllersOptions, env: Env): RunningControllers {
  const { client, rootCa, signer, tokens } = options;
  const informers = new InformerPool(client, env);
  const services: ControllerServices = { client, informers, env, rootCa, signer, tokens };
  const controllers = makers.map((make) => make(services));
  const accounts = informers.informer(serviceAccounts);
  const usable = new Promise<void>((done) => {
    accounts.addHandler({
      onAdd: (account) => {
        if (keyOf(account) === 'default/default') done();
      },
    });
  });
  informers.start();
  const started = Promise.all(controllers.map((controller) => controller.start()));
  return {
    ready: started.then(() => undefined),
    usable,
    async close() {
      await Promise.all(controllers.map((controller) => controller.close()));
      await informers.close();
    },
  };
}
