// Replays scenarios/controllers/*.txt: true controllers over the true API server in virtual time.
// With STRATA_UPDATE_SCENARIOS=1 the answers are written anew.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import * as known from '#kube/client/resources.ts';
import type { GroupVersionResource, KubeObject } from '#kube/meta/object.ts';
import { eventually } from '#test/support/cluster.ts';
import { KubeWorld } from '#test/support/kube-world.ts';

const folder = fileURLToPath(new URL('../../../scenarios/controllers/', import.meta.url));

const byKind: Readonly<Record<string, GroupVersionResource>> = {
  ConfigMap: known.configMaps,
  ControllerRevision: known.controllerRevisions,
  CronJob: known.cronJobs,
  CustomResourceDefinition: known.customResourceDefinitions,
  DaemonSet: known.daemonSets,
  Deployment: known.deployments,
  EndpointSlice: known.endpointSlices,
  Endpoints: known.endpoints,
  Event: known.events,
  Job: known.jobs,
  Lease: known.leases,
  Namespace: known.namespaces,
  Node: known.nodes,
  PersistentVolumeClaim: known.persistentVolumeClaims,
  Pod: known.pods,
  PersistentVolume: known.persistentVolumes,
  PodDisruptionBudget: known.podDisruptionBudgets,
  ReplicaSet: known.replicaSets,
  ReplicationController: known.replicationControllers,
  ResourceQuota: known.resourceQuotas,
  Service: known.services,
  ServiceAccount: known.serviceAccounts,
  ServiceCIDR: known.serviceCidrs,
  StatefulSet: known.statefulSets,
  StorageClass: known.storageClasses,
  ValidatingAdmissionPolicy: known.validatingAdmissionPolicies,
  Widget: { group: 'example.com', version: 'v1', resource: 'widgets' },
};

function resourceOf(kind: string): GroupVersionResource {
  const found = byKind[kind];
  assert.ok(found !== undefined, `Unknown kind ${kind}`);
  return found;
}

const namespaced = (kind: string): boolean =>
  ![
    'Node',
    'Namespace',
    'PersistentVolume',
    'CustomResourceDefinition',
    'ServiceCIDR',
    'StorageClass',
    'ValidatingAdmissionPolicy',
  ].includes(kind);

/** Made names by the order in which they were first seen: hashes h1, h2, endings p1, p2. */
class Names {
  readonly #hashes = new Map<string, string>();
  readonly #endings = new Map<string, string>();

  plain(text: string): string {
    const letters = '[bcdfghjklmnpqrstvwxz2456789]';
    const hash = new RegExp(`-(${letters}{8,10})(?![a-z0-9])`, 'g');
    const ending = new RegExp(`-(${letters}{5})(?![a-z0-9])`, 'g');
    const name = (names: Map<string, string>, prefix: string) => (_all: string, found: string) => {
      const known = names.get(found) ?? `${prefix}${names.size + 1}`;
      names.set(found, known);
      return `-${known}`;
    };
    return text.replace(hash, name(this.#hashes, 'h')).replace(ending, name(this.#endings, 'p'));
  }
}

function conditions(object: KubeObject): string {
  const list = (object['status']?.conditions ?? []) as Record<string, string>[];
  return list
    .toSorted((a, b) => ((a['type'] ?? '') < (b['type'] ?? '') ? -1 : 1))
    .map(({ type, status, reason }) => `${type}=${status}${reason ? `(${reason})` : ''}`)
    .join(' ');
}

function numbers(of: Record<string, unknown> | undefined, ...fields: string[]): string {
  return fields
    .filter((field) => of?.[field] !== undefined)
    .map((field) => `${field}=${String(of?.[field])}`)
    .join(' ');
}

function revision(object: KubeObject): string {
  const number = object.metadata.annotations?.['deployment.kubernetes.io/revision'];
  return number === undefined ? '' : `rev=${number} `;
}

/** Annotations by which binders of volumes and those who make volumes know each other. */
function marks(object: KubeObject): string {
  return Object.entries(object.metadata.annotations ?? {})
    .map(([name, value]) => `${name.replace(/^.*\//, '')}=${value}`)
    .toSorted()
    .join(' ');
}

/** What a kind shows on its line, beside its name. */
const views: Readonly<Record<string, (object: KubeObject) => string>> = {
  Deployment: (one) =>
    `${revision(one)}${numbers(one['status'], 'replicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas', 'unavailableReplicas', 'collisionCount')} ${conditions(one)}`,
  ReplicaSet: (one) =>
    `${revision(one)}spec=${one['spec'].replicas} ${numbers(one['status'], 'replicas', 'readyReplicas', 'availableReplicas')} ${conditions(one)}`,
  ReplicationController: (one) =>
    `spec=${one['spec'].replicas} ${numbers(one['status'], 'replicas', 'readyReplicas')} ${conditions(one)}`,
  StatefulSet: (one) =>
    numbers(one['status'], 'replicas', 'readyReplicas', 'currentReplicas', 'updatedReplicas'),
  DaemonSet: (one) =>
    numbers(
      one['status'],
      'desiredNumberScheduled',
      'currentNumberScheduled',
      'numberReady',
      'updatedNumberScheduled',
      'numberAvailable',
      'numberMisscheduled',
    ),
  Job: (one) =>
    `${numbers(one['status'], 'active', 'succeeded', 'failed', 'completedIndexes', 'failedIndexes')} ${conditions(one)}`,
  ServiceCIDR: (one) => conditions(one),
  CronJob: (one) => `active=${(one['status']?.active ?? []).length}`,
  Pod: (one) => {
    const owner = one.metadata.ownerReferences?.find(({ controller }) => controller === true);
    const isGoing = one.metadata.deletionTimestamp !== undefined;
    return `${one['status']?.phase}${isGoing ? ' going' : ''} node=${one['spec'].nodeName ?? '-'} image=${one['spec'].containers[0].image} owner=${owner === undefined ? '-' : `${owner.kind}/${owner.name}`}`;
  },
  Node: (one) =>
    ((one['spec']?.taints ?? []) as { key: string; effect: string }[])
      .map(({ key, effect }) => `${key}:${effect}`)
      .toSorted()
      .join(' '),
  Namespace: (one) => `${one['status']?.phase} ${conditions(one)}`,
  EndpointSlice: (one) => {
    const ports = ((one['ports'] ?? []) as { port: number }[]).map(({ port }) => port);
    const endpoints = (one['endpoints'] ?? []) as {
      addresses: string[];
      conditions: Record<string, boolean>;
    }[];
    const shown = endpoints.map(({ addresses, conditions: is }) => {
      const words = Object.keys(is).filter((word) => is[word] === true);
      return `${addresses[0]}(${words.join(',')})`;
    });
    return `${one['addressType']} ports=${ports.join(',')} ${shown.join(' ')}`;
  },
  Endpoints: (one) =>
    ((one['subsets'] ?? []) as Record<string, { ip?: string; port?: number }[]>[])
      .map(
        (subset) =>
          `ready=${(subset['addresses'] ?? []).map(({ ip }) => ip).join(',')} notReady=${(subset['notReadyAddresses'] ?? []).map(({ ip }) => ip).join(',')} ports=${(subset['ports'] ?? []).map(({ port }) => port).join(',')}`,
      )
      .join(' | '),
  ControllerRevision: (one) => `revision=${one['revision']}`,
  PodDisruptionBudget: (one) =>
    numbers(
      one['status'],
      'currentHealthy',
      'desiredHealthy',
      'expectedPods',
      'disruptionsAllowed',
    ),
  PersistentVolume: (one) => {
    const { claimRef } = one['spec'] as { claimRef?: { name: string; uid?: string } };
    const given = claimRef === undefined ? '-' : claimRef.name;
    return `${one['status']?.phase} claim=${given}${claimRef?.uid === undefined ? '' : ' by id'} ${marks(one)}`;
  },
  PersistentVolumeClaim: (one) => {
    const { phase, capacity } = one['status'] as { phase?: string; capacity?: { storage: string } };
    const { volumeName = '-', storageClassName = '-' } = one['spec'] as Record<string, string>;
    return `${phase} volume=${volumeName} class=${storageClassName} capacity=${capacity?.storage ?? '-'} ${marks(one)} ${conditions(one)}`;
  },
  ValidatingAdmissionPolicy: (one) => {
    const warnings = (one['status']?.typeChecking?.expressionWarnings ?? []) as {
      fieldRef: string;
      warning: string;
    }[];
    const told = warnings.map(({ fieldRef, warning }) => `${fieldRef}: ${warning.split('\n')[0]}`);
    return `${numbers(one['status'], 'observedGeneration')} ${told.join(' ')}`;
  },
  ResourceQuota: (one) => JSON.stringify(one['status']?.used ?? {}),
};

class Player {
  readonly #world: KubeWorld;
  readonly #names = new Names();
  #eventsSeen = new Map<string, number>();

  constructor(world: KubeWorld) {
    this.#world = world;
  }

  async play(line: string): Promise<string[]> {
    const [command = '', ...args] = line.split(/\s+/);
    const rest = line.slice(command.length).trim();
    const answer = await this.#run(command, args, rest);
    return answer.map((one) => this.#names.plain(one).trimEnd());
  }

  async #run(command: string, args: string[], rest: string): Promise<string[]> {
    const { client } = this.#world;
    const world = this.#world;
    const [kind = '', name = ''] = args;
    switch (command) {
      case 'node':
        await world.addNode(kind, parse(args.slice(1).join(' ') || '{}'));
        return [];
      case 'kubelet':
        await world.addKubelet(kind);
        return [];
      case 'node-ready':
        await world.setReady(kind, name);
        return [];
      case 'node-deaf':
        world.deaf.add(kind);
        return [];
      case 'node-hears':
        world.deaf.delete(kind);
        await world.client.patch(
          known.nodes,
          { name: kind, type: 'merge' },
          { metadata: { annotations: { heard: String(world.env.clock.now()) } } },
        );
        return [];
      case 'settle':
        await world.settle(Number(kind.replace('s', '')) * 1_000);
        return [];
      // What answers in its own time, as documents that are made when they are first asked for.
      case 'until-observed':
        await eventually(`${name} is observed`, async () => {
          await world.settle(100);
          const { metadata, status } = await client.get(resourceOf(kind), this.#place(kind, name));
          return status?.observedGeneration === metadata.generation;
        });
        return [];
      case 'restart-controllers':
        await world.restartControllers();
        return [];
      case 'apply':
        return this.#apply(parse(rest) as KubeObject);
      case 'patch': {
        const patch: unknown = parse(args.slice(2).join(' '));
        await client.patch(resourceOf(kind), { ...this.#place(kind, name), type: 'merge' }, patch);
        return [];
      }
      case 'delete': {
        const policy = args[2] as 'Background' | 'Foreground' | 'Orphan' | undefined;
        const options = policy === undefined ? {} : { propagationPolicy: policy };
        await client.delete(resourceOf(kind), this.#place(kind, name), options);
        return [];
      }
      case 'observe':
        world.observe(kind);
        return [];
      case 'observed': {
        const seen = world.seen.get(kind);
        return [`least ready ${seen?.leastReady}, most ${seen?.most}`];
      }
      case 'show':
        return this.#show(kind, name);
      case 'conditions': {
        const object = await client.get(resourceOf(kind), this.#place(kind, name));
        return [`${kind} ${name} ${conditions(object)}`];
      }
      case 'events':
        return this.#events();
      default:
        throw new Error(`Unknown command: ${command}`);
    }
  }

  #place(kind: string, name: string): { namespace?: string; name: string } {
    const slash = name.indexOf('/');
    if (slash >= 0) return { namespace: name.slice(0, slash), name: name.slice(slash + 1) };
    return namespaced(kind) ? { namespace: 'default', name } : { name };
  }

  async #apply(object: KubeObject): Promise<string[]> {
    const { kind, metadata } = object;
    const resource = resourceOf(kind);
    const { group, version } = resource;
    object.apiVersion = group === '' ? version : `${group}/${version}`;
    if (namespaced(kind)) metadata.namespace ??= 'default';
    const owner = object['owner'] as string | undefined;
    delete object['owner'];
    if (owner !== undefined) {
      const [ownerKind = '', ownerName = ''] = owner.split('/');
      const place = this.#place(ownerKind, ownerName);
      const found = await this.#world.client.get(resourceOf(ownerKind), place);
      const { uid = '' } = found.metadata;
      const { apiVersion } = found;
      metadata.ownerReferences = [
        { apiVersion, kind: ownerKind, name: ownerName, uid, blockOwnerDeletion: true },
      ];
    }
    const place = { namespace: metadata.namespace, name: metadata.name ?? '' };
    await this.#world.client.patch(
      resource,
      { ...place, type: 'apply', fieldManager: 'test', force: true },
      object,
    );
    return [];
  }

  async #show(kind: string, wanted: string): Promise<string[]> {
    const namespace = namespaced(kind) ? wanted || 'default' : undefined;
    const { items } = await this.#world.client.list(resourceOf(kind), { namespace });
    const own = items.filter(
      ({ metadata }) =>
        metadata.name !== 'kubernetes' &&
        (kind !== 'Namespace' || wanted === '' || metadata.name === wanted),
    );
    const shown = (one: KubeObject): string => {
      const { name, finalizers = [] } = one.metadata;
      const isGoing = kind !== 'Pod' && one.metadata.deletionTimestamp !== undefined;
      const held = isGoing ? ` going [${finalizers.join(',')}]` : '';
      return `${kind} ${name} ${views[kind]?.(one) ?? ''}${held}`;
    };
    const byAge = own.toSorted((a, b) => {
      const [x, y] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
      return x === y ? (shown(a) < shown(b) ? -1 : 1) : x < y ? -1 : 1;
    });
    return byAge.length === 0 ? [`no ${kind}`] : byAge.map(shown);
  }

  /** New ones since the last look. */
  async #events(): Promise<string[]> {
    const { items } = await this.#world.client.list(known.events);
    const before = this.#eventsSeen;
    this.#eventsSeen = new Map(items.map((one) => [one.metadata.uid ?? '', Number(one['count'])]));
    return items
      .filter((one) => before.get(one.metadata.uid ?? '') !== Number(one['count']))
      .map((one) => {
        const about = `${one['involvedObject'].kind}/${one['involvedObject'].name}`;
        const count = Number(one['count']) > 1 ? ` x${one['count']}` : '';
        return `${one['type']} ${one['reason']} ${about}: ${one['message']}${count}`;
      })
      .toSorted();
  }
}

async function replay(text: string): Promise<string> {
  const world = await KubeWorld.start({ seed: 7 });
  const player = new Player(world);
  const out: string[] = [];
  try {
    for (const block of text.trimEnd().split(/\n\n+/)) {
      const lines = block.split('\n');
      const comments = lines.filter((line) => line.startsWith('#'));
      const end = lines.indexOf('----');
      const commands = lines
        .slice(0, end < 0 ? lines.length : end)
        .filter((line) => !line.startsWith('#'));
      const answers: string[] = [];
      // A command goes on in the lines that are indented.
      const joined = commands.join('\n').split(/\n(?! )/);
      for (const command of joined) {
        if (command !== '') answers.push(...(await player.play(command)));
      }
      const isSilent = commands.length === 0;
      out.push([...comments, ...commands, ...(isSilent ? [] : ['----', ...answers])].join('\n'));
    }
  } finally {
    await world.close();
  }
  return `${out.join('\n\n')}\n`;
}

for (const name of readdirSync(folder).filter((one) => one.endsWith('.txt'))) {
  test(`scenarios/controllers/${name}`, async () => {
    const path = join(folder, name);
    const text = readFileSync(path, 'utf8');
    const answer = await replay(text);
    if (process.env['STRATA_UPDATE_SCENARIOS'] === '1') writeFileSync(path, answer);
    else assert.equal(answer, text);
  });
}
