// Who leads: masters enter a group one after the other, and the one that entered first leads until it is
// gone. Where the group lives (zookeeper-group.ts, etcd-group.ts) is known by neither masters nor those
// who look for the leader.
import type { MasterInfo } from '#wire/mesos/v1.ts';

export interface Member {
  /** Of its entry; the next life of a process has another one. */
  readonly id: string;
  readonly info: MasterInfo;
}

export interface Group {
  /**
   * Enters, as often as it takes until it is in. `onLost` is called once when the entry is gone: this
   * process must not think that it leads. Resolves with the id of the entry.
   */
  join(info: MasterInfo, onLost: () => void): Promise<string>;
  /** Tells who leads, now and at every change; undefined: nobody does, or it is not known. */
  watch(onLeader: (leader: Member | undefined) => void): void;
  /** Takes out a member whose process is known to be gone, before its time is over. */
  evict(id: string): Promise<void>;
  /** Leaves, and stops watching. */
  close(): Promise<void>;
}
