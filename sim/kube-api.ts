// The API server of a simulated instance, as far as the framework and its nodes see it: pods and names
// of nodes, writes that answer, watches that begin with all there is. It does not fail; its network does.
import type { Amounts } from '#kube/scheduler/types.ts';
import { Channel, Life, remoteCall, type Network } from './network.ts';

export interface SimPod {
  /** Also its name, and the id of its first task. */
  readonly uid: string;
  readonly work: number;
  readonly requests: Amounts;
  readonly nodeName: string | undefined;
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed';
  readonly isDeleting: boolean;
  readonly hasStarted: boolean;
  readonly attempt: number | undefined;
}

export interface Watcher {
  readonly life: Life;
  onPod(pod: SimPod): void;
  onPodGone(uid: string): void;
  onNode(name: string): void;
  onSynced(): void;
}

interface Watch {
  readonly channel: Channel;
  readonly watcher: Watcher;
}

const REWATCH_MS = 500;

export function isOver({ phase }: SimPod): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}

export class KubeApi {
  readonly life = new Life('kube-api', 'API server');
  readonly pods = new Map<string, SimPod>();
  readonly nodes = new Set<string>();
  readonly #network: Network;
  readonly #watches = new Set<Watch>();
  /** Who makes pods is told of each change. */
  onChange: (pod: SimPod, isGone: boolean) => void = () => {};

  constructor(network: Network) {
    this.#network = network;
  }

  // ---- what clients ask for: through `call`

  put(pod: SimPod): void {
    this.pods.set(pod.uid, pod);
    this.#tell((watcher) => watcher.onPod(pod));
    this.onChange(pod, false);
  }

  /** A pod that is over stays over. */
  patch(uid: string, change: Partial<SimPod>): void {
    const pod = this.pods.get(uid);
    if (pod === undefined || (isOver(pod) && change.phase !== undefined)) return;
    this.put({ ...pod, ...change });
  }

  bind(uid: string, nodeName: string): 'done' | 'refused' {
    const pod = this.pods.get(uid);
    if (pod === undefined || pod.isDeleting || pod.nodeName !== undefined) return 'refused';
    this.put({ ...pod, nodeName });
    return 'done';
  }

  noteAttempt(uid: string, attempt: number): 'done' | 'refused' {
    const pod = this.pods.get(uid);
    if (pod === undefined) return 'refused';
    this.put({ ...pod, attempt });
    return 'done';
  }

  /** Whoever runs on no node is gone at once, the others when their node says so. */
  delete(uid: string): void {
    const pod = this.pods.get(uid);
    if (pod === undefined || pod.isDeleting) return;
    if (pod.nodeName === undefined) this.remove(uid);
    else this.put({ ...pod, isDeleting: true });
  }

  remove(uid: string): void {
    const pod = this.pods.get(uid);
    if (pod === undefined) return;
    this.pods.delete(uid);
    this.#tell((watcher) => watcher.onPodGone(uid));
    this.onChange(pod, true);
  }

  putNode(name: string): void {
    if (this.nodes.has(name)) return;
    this.nodes.add(name);
    this.#tell((watcher) => watcher.onNode(name));
  }

  // ---- connections

  /** `answer` gets undefined when nobody knows what became of it. */
  call<T>(from: Life, act: () => T, answer: (value: T | undefined) => void = () => {}): void {
    remoteCall(this.#network, { from, to: this.life }, act, answer);
  }

  /** Until it is answered, or whoever asks is dead. */
  untilDone(from: Life, act: () => void, then: () => void): void {
    const done = (value: boolean | undefined): void => {
      if (value === true) then();
      else this.#later(from, () => this.untilDone(from, act, then));
    };
    this.call(
      from,
      () => {
        act();
        return true;
      },
      done,
    );
  }

  /** As long as the watcher lives; what vanished while it did not watch is told when it does again. */
  watch(watcher: Watcher, known: Set<string> = new Set()): void {
    let hasBegun = false;
    const again = (): void => this.#later(watcher.life, () => this.watch(watcher, known));
    const request: Channel = new Channel(this.#network, {
      from: watcher.life,
      to: this.life,
      onBroken: () => {
        if (!hasBegun) again();
      },
    });
    request.send(() => {
      hasBegun = true;
      const channel = new Channel(this.#network, {
        from: this.life,
        to: watcher.life,
        onBroken: () => this.#watches.delete(watch),
        onClosed: again,
      });
      const watch = { channel, watcher: followed(watcher, known) };
      this.#watches.add(watch);
      this.#list(watch, known);
      request.finish();
    });
  }

  #list({ channel, watcher }: Watch, known: Set<string>): void {
    const pods = [...this.pods.values()];
    const nodes = [...this.nodes];
    channel.send(() => {
      const present = new Set(pods.map(({ uid }) => uid));
      for (const uid of [...known].filter((one) => !present.has(one))) watcher.onPodGone(uid);
      for (const name of nodes) watcher.onNode(name);
      for (const pod of pods) watcher.onPod(pod);
      watcher.onSynced();
    });
  }

  #tell(tell: (watcher: Watcher) => void): void {
    for (const { channel, watcher } of this.#watches) channel.send(() => tell(watcher));
  }

  #later(life: Life, act: () => void): void {
    this.#network.clock.after(REWATCH_MS, () => {
      if (life.isAlive) act();
    });
  }
}

function followed(watcher: Watcher, known: Set<string>): Watcher {
  return {
    life: watcher.life,
    onPod(pod) {
      known.add(pod.uid);
      watcher.onPod(pod);
    },
    onPodGone(uid) {
      known.delete(uid);
      watcher.onPodGone(uid);
    },
    onNode: (name) => watcher.onNode(name),
    onSynced: () => watcher.onSynced(),
  };
}
