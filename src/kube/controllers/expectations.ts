// What a controller has just done and its cache has not seen yet: until it has, it must not act again
// on the old picture (client-go's expectations).
const FORGOTTEN_AFTER_MS = 60_000;

export class Expectations {
  readonly #pending = new Map<string, { created: Set<string>; deleted: Set<string>; at: number }>();

  #of(key: string, now: number): { created: Set<string>; deleted: Set<string>; at: number } {
    let found = this.#pending.get(key);
    if (found === undefined) {
      found = { created: new Set(), deleted: new Set(), at: now };
      this.#pending.set(key, found);
    }
    found.at = now;
    return found;
  }

  created(key: string, uid: string, now: number): void {
    this.#of(key, now).created.add(uid);
  }

  deleted(key: string, uid: string, now: number): void {
    this.#of(key, now).deleted.add(uid);
  }

  /** Whether the cache (given as: is this uid there, and is it going?) shows all that was done. */
  isFulfilled(
    key: string,
    look: (uid: string) => 'absent' | 'there' | 'going',
    now: number,
  ): boolean {
    const found = this.#pending.get(key);
    if (found === undefined) return true;
    for (const uid of found.created) if (look(uid) !== 'absent') found.created.delete(uid);
    for (const uid of found.deleted) if (look(uid) !== 'there') found.deleted.delete(uid);
    const isDone = found.created.size === 0 && found.deleted.size === 0;
    if (isDone || now - found.at > FORGOTTEN_AFTER_MS) {
      this.#pending.delete(key);
      return true;
    }
    return false;
  }
}
