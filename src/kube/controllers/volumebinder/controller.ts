// The binder of volumes and claims: one worker looks at one of either kind after the other, and writes until
// nothing is left to be done with it. A volume that comes free goes to the oldest claim that can use it.
import { hasReason } from '#kube/client/client.ts';
import { keyOf } from '#kube/client/informer-store.ts';
import {
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  storageClasses,
} from '#kube/client/resources.ts';
import { nothing, type Decision } from '#kube/controllers/effects.ts';
import { Controller, type ControllerServices } from '#kube/controllers/frame.ts';
import { isPodOver } from '#kube/controllers/pod-facts.ts';
import { byClaim, claimsOfPod } from '#kube/controllers/volumeprotection/core.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import {
  bestVolume,
  claimRefOf,
  classNameOf,
  hasClass,
  isClaimBound,
  keyOfRef,
  phaseOf,
  volumeNameOf,
} from './claims.ts';
import {
  claimStep,
  isClaimDoubtful,
  isDelayed,
  resourceOf,
  volumeStep,
  type Step,
  type World,
} from './core.ts';
import { OwnWrites } from './own-writes.ts';

const CLAIM = 'claim:';
const VOLUME = 'volume:';
/** More than any object ever needs; whatever is left comes with the next look. */
const STEPS_MAX = 8;

const byRef = 'claim-ref-or-class';
const byWish = 'wanted-volume';

const defaultMarks = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];

function isDefault({ metadata }: KubeObject): boolean {
  return defaultMarks.some((mark) => metadata.annotations?.[mark] === 'true');
}

/** Oldest or newest first; by name when of one age. */
function byAge(objects: readonly KubeObject[], order: 1 | -1): KubeObject[] {
  return objects.toSorted((a, b) => {
    const [x, y] = [a, b].map(({ metadata }) => metadata.creationTimestamp ?? '') as [
      string,
      string,
    ];
    if (x !== y) return x < y ? -order : order;
    return keyOf(a) < keyOf(b) ? -1 : 1;
  });
}

/** What a claim that has no volume waits for. */
function wishOf(claim: KubeObject): string[] {
  if (isClaimBound(claim)) return [];
  const name = volumeNameOf(claim);
  if (name !== '') return [`volume ${name}`];
  return hasClass(claim) ? [`class ${classNameOf(claim)}`] : ['class ', 'default class'];
}

class Binder {
  readonly #services: ControllerServices;
  readonly #volumes;
  readonly #claims;
  readonly #classes;
  readonly #pods;
  readonly #newVolumes: OwnWrites;
  readonly #newClaims: OwnWrites;
  readonly #world: World;
  readonly controller: Controller;

  constructor(services: ControllerServices) {
    this.#services = services;
    const { informers } = services;
    this.#volumes = informers.informer(persistentVolumes);
    this.#claims = informers.informer(persistentVolumeClaims);
    this.#classes = informers.informer(storageClasses);
    this.#pods = informers.informer(pods);
    this.#newVolumes = new OwnWrites(this.#volumes);
    this.#newClaims = new OwnWrites(this.#claims);
    this.#volumes.addIndexers({
      [byRef]: (volume) => {
        const ref = claimRefOf(volume);
        return [ref === undefined ? `class ${classNameOf(volume)}` : `claim ${keyOfRef(ref)}`];
      },
    });
    this.#claims.addIndexers({ [byWish]: wishOf });
    this.#pods.addIndexers({ [byClaim]: claimsOfPod });
    this.#world = this.#makeWorld();
    this.controller = new Controller(
      {
        name: 'volumebinder',
        component: 'persistentvolume-controller',
        needs: [this.#volumes, this.#claims, this.#classes, this.#pods],
        // Two looks at once could give one volume to two claims.
        workersMax: 1,
        keys: () => [
          ...this.#volumes.list().map((one) => VOLUME + keyOf(one)),
          ...this.#claims.list().map((one) => CLAIM + keyOf(one)),
        ],
        reconcile: (key) => this.#reconcile(key),
      },
      services,
    );
    this.#follow();
  }

  #makeWorld(): World {
    return {
      volume: (name) => this.#newVolumes.get(name),
      storageClass: (name) => this.#classes.get(name),
      defaultClass: () => byAge(this.#classes.list().filter(isDefault), -1)[0],
      candidates: (claim) => {
        const values = [`claim ${keyOf(claim)}`, `class ${classNameOf(claim)}`];
        const found = values.flatMap((value) => this.#volumes.byIndex(byRef, value));
        return found
          .map((volume) => this.#newVolumes.get(keyOf(volume)))
          .filter((volume) => volume !== undefined);
      },
      waitingPods: (claim) =>
        this.#pods
          .byIndex(byClaim, keyOf(claim))
          .filter((pod) => (pod['spec'].nodeName ?? '') === '' && !isPodOver(pod))
          .map(({ metadata }) => metadata.name ?? ''),
    };
  }

  #follow(): void {
    const { controller } = this;
    const enqueueVolume = (volume: KubeObject): void => controller.enqueue(VOLUME + keyOf(volume));
    const enqueueClaim = (claim: KubeObject): void => controller.enqueue(CLAIM + keyOf(claim));
    this.#volumes.addHandler({
      onAdd: enqueueVolume,
      onUpdate: (_old, volume) => enqueueVolume(volume),
      onDelete: (volume) => {
        const ref = claimRefOf(volume);
        if (ref !== undefined) controller.enqueue(CLAIM + keyOfRef(ref));
      },
    });
    this.#claims.addHandler({
      onAdd: enqueueClaim,
      onUpdate: (_old, claim) => enqueueClaim(claim),
      onDelete: (claim) => {
        for (const volume of this.#volumes.byIndex(byRef, `claim ${keyOf(claim)}`))
          enqueueVolume(volume);
      },
    });
    const onClass = (found: KubeObject): void => {
      this.#claims.byIndex(byWish, `class ${keyOf(found)}`).forEach(enqueueClaim);
      if (isDefault(found)) this.#claims.byIndex(byWish, 'default class').forEach(enqueueClaim);
    };
    this.#classes.addHandler({ onAdd: onClass, onUpdate: (_old, found) => onClass(found) });
    // Who waits for a claim is told in its events.
    this.#pods.addHandler({
      onAdd: (pod) => {
        for (const key of claimsOfPod(pod)) {
          const claim = this.#claims.get(key);
          if (claim !== undefined && wishOf(claim).length > 0) enqueueClaim(claim);
        }
      },
    });
  }

  async #reconcile(key: string): Promise<Decision> {
    if (key.startsWith(CLAIM)) await this.#lookAtClaim(key.slice(CLAIM.length));
    else await this.#lookAtVolume(key.slice(VOLUME.length));
    return nothing;
  }

  /** Does the step's write and tells its events. */
  async #do({ write, isStatus, events = [], claim }: Step): Promise<void> {
    if (write !== undefined) {
      const subresource = isStatus === true ? 'status' : undefined;
      const { client } = this.#services;
      const written = await client.update(resourceOf(write), write, { subresource });
      (write.kind === 'PersistentVolume' ? this.#newVolumes : this.#newClaims).note(written);
    }
    for (const event of events) this.controller.recorder.record(event.about, event);
    if (claim !== undefined) this.controller.enqueue(CLAIM + claim);
  }

  async #lookAtClaim(key: string): Promise<void> {
    for (let count = 0; count < STEPS_MAX; count += 1) {
      const claim = this.#newClaims.get(key);
      if (claim === undefined) return;
      const step = claimStep(claim, this.#world);
      await this.#do(step);
      if (step.isMore !== true) return;
    }
  }

  async #lookAtVolume(key: string): Promise<void> {
    for (let count = 0; count < STEPS_MAX; count += 1) {
      const volume = this.#newVolumes.get(key);
      if (volume === undefined) return;
      const step = volumeStep(volume, await this.#claimOf(volume));
      await this.#do(step);
      if (step.isMore !== true) break;
    }
    await this.#offer(key);
  }

  /** The claim that a volume is given to, from the server when the copy is in doubt. */
  async #claimOf(volume: KubeObject): Promise<KubeObject | undefined> {
    const ref = claimRefOf(volume);
    if (ref === undefined) return undefined;
    const known = this.#newClaims.get(keyOfRef(ref));
    if (!isClaimDoubtful(volume, known)) return known;
    const { namespace, name = '' } = ref;
    try {
      return await this.#services.client.get(persistentVolumeClaims, { namespace, name });
    } catch (error) {
      if (hasReason(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  /** To whoever named it, and else to the oldest claims of its class until one has it. */
  async #offer(name: string): Promise<void> {
    for (const claim of this.#claims.byIndex(byWish, `volume ${name}`))
      this.controller.enqueue(CLAIM + keyOf(claim));
    const volume = this.#newVolumes.get(name);
    if (volume === undefined || claimRefOf(volume) !== undefined) return;
    if (phaseOf(volume) !== 'Available') return;
    const waiting = this.#claims.byIndex(byWish, `class ${classNameOf(volume)}`);
    if (waiting.length === 0) return;
    for (const { metadata } of byAge(waiting, 1)) {
      const key = keyOf({ metadata });
      const claim = this.#newClaims.get(key);
      if (claim === undefined || wishOf(claim).length === 0) continue;
      if (bestVolume(claim, [volume], isDelayed(claim, this.#world)) === undefined) continue;
      await this.#lookAtClaim(key);
      const now = this.#newVolumes.get(name);
      if (now === undefined || claimRefOf(now) !== undefined) return;
    }
  }
}

export function volumeBinderController(services: ControllerServices): Controller {
  return new Binder(services).controller;
}
