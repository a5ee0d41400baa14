// Decides for a master that wants to lead: when it does, whom it watches until then, and when it is over.
import type { Member } from './group.ts';

export type CandidateStep =
  /** It leads from now on. */
  | { readonly kind: 'lead' }
  /** Another one decides now, or its entry is gone: it must end, as Mesos' masters do. */
  | { readonly kind: 'end' }
  /** It waits; the end of that one's process need not wait for a lease. */
  | { readonly kind: 'watch'; readonly leader: Member }
  | { readonly kind: 'wait' };

export class Candidacy {
  #id: string | undefined;
  #leader: Member | undefined;
  #isElected = false;
  #isOver = false;

  /** Undefined: nobody leads, or it is not known who. */
  get leader(): Member | undefined {
    return this.#leader;
  }

  onEntered(id: string): CandidateStep {
    this.#id = id;
    return this.#judge();
  }

  onLeader(leader: Member | undefined): CandidateStep {
    this.#leader = leader;
    return this.#judge();
  }

  /** Its entry in the group is gone. */
  onLost(): CandidateStep {
    return this.#end();
  }

  close(): void {
    this.#isOver = true;
  }

  #judge(): CandidateStep {
    if (this.#isOver || this.#id === undefined) return { kind: 'wait' };
    const leader = this.#leader;
    if (leader?.id === this.#id) {
      const isNew = !this.#isElected;
      this.#isElected = true;
      return { kind: isNew ? 'lead' : 'wait' };
    }
    if (this.#isElected) return this.#end();
    return leader === undefined ? { kind: 'wait' } : { kind: 'watch', leader };
  }

  #end(): CandidateStep {
    if (this.#isOver) return { kind: 'wait' };
    this.#isOver = true;
    return { kind: 'end' };
  }
}
