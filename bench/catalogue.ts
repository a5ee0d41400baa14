// All benchmarks, in the order in which they run.
import { agentContainers, agentProcesses } from './agent-containers.ts';
import { agentTask } from './agent-task.ts';
import type { Benchmark } from './benchmark.ts';
import { coldStart } from './cold-start.ts';
import { kubeDiscovery } from './kube-discovery.ts';
import { kubeLists, kubeListsLarge } from './kube-lists.ts';
import { kubeObjects } from './kube-objects.ts';
import { kubePatches } from './kube-patches.ts';
import { kubeScheduling } from './kube-scheduling.ts';
import { kubeWatch, kubeWatchFast, kubeWatchFastLarge, kubeWatchLarge } from './kube-watch.ts';
import { mesosAllocator } from './mesos-allocator.ts';
import { mesosDecisions } from './mesos-decisions.ts';
import { mesosFrameworks } from './mesos-frameworks.ts';
import { mesosLaunch } from './mesos-launch.ts';
import { mesosOffers } from './mesos-offers.ts';
import { mesosReaders } from './mesos-readers.ts';
import { mesosRegistration } from './mesos-registration.ts';
import { mesosScale } from './mesos-scale.ts';
import { mesosState } from './mesos-state.ts';

export const benchmarks: readonly Benchmark[] = [
  mesosRegistration,
  mesosOffers,
  mesosFrameworks,
  mesosLaunch,
  mesosState,
  mesosReaders,
  mesosScale,
  mesosAllocator,
  mesosDecisions,
  agentTask,
  agentProcesses,
  agentContainers,
  kubeObjects,
  kubePatches,
  kubeDiscovery,
  kubeLists,
  kubeListsLarge,
  kubeWatch,
  kubeWatchLarge,
  kubeWatchFast,
  kubeWatchFastLarge,
  kubeScheduling,
  coldStart,
];
