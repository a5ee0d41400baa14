// Who is asked once more in a second round, because somebody after it has changed the object (the reinvocation
// contexts of kubernetes v1.37). One for each kind of those who may change objects, in each request.
import { cloneJson } from '#base/clone.ts';
import { same } from '#base/same.ts';
import type { KubeObject } from '#kube/meta/object.ts';

export class Reinvocation {
  /** Those who want to see later changes and have been asked. */
  readonly #asked = new Set<string>();
  readonly #due = new Set<string>();
  #left: KubeObject | undefined;
  #isAgain = false;
  #isWanted = false;

  /** The second round. */
  get isAgain(): boolean {
    return this.#isAgain;
  }

  /** Something was changed, so that there is to be a second round. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  startAgain(): void {
    this.#isAgain = true;
  }

  /** What others have changed since then, everybody may see. */
  begin(object: KubeObject | undefined): void {
    if (this.#isAgain && !same(this.#left, object)) this.#require();
  }

  end(object: KubeObject | undefined): void {
    const isAny = this.#asked.size > 0 || this.#due.size > 0;
    if (!this.#isAgain && isAny) this.#left = cloneJson(object);
  }

  /** Nobody is asked for the first time in the second round. */
  isDue(key: string): boolean {
    return !this.#isAgain || this.#due.has(key);
  }

  asked(key: string): void {
    this.#asked.add(key);
  }

  /** All that were asked before may see it. */
  changed(): void {
    this.#isWanted = true;
    this.#require();
  }

  #require(): void {
    for (const key of this.#asked) this.#due.add(key);
    this.#asked.clear();
  }
}
