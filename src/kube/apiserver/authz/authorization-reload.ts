// Reads the file of authorizers again while the server runs. What it had at the start it keeps, but for webhooks; what
// would have needed a start of its own cannot come later. Checks and words as kube-apiserver v1.37.
import { isDeepStrictEqual } from 'node:util';
import { Fault } from '#base/fault.ts';
import type { AttributePolicy } from './attribute-policies.ts';
import {
  authorizerSpecs,
  checkedAuthorization,
  type AuthorizerSpec,
  type CheckedAuthorizer,
} from './authorization-configuration.ts';

/** They are set up when the server starts, or never. */
const setUpAtStart = ['Node', 'ABAC', 'RBAC'];

export class AuthorizationReload {
  readonly #path: string;
  readonly #required: ReadonlySet<string>;
  readonly #policies: readonly AttributePolicy[];
  #last: readonly CheckedAuthorizer[];

  /** `initial` is what the server has been started with. Throws Fault. */
  constructor(path: string, initial: readonly AuthorizerSpec[]) {
    this.#path = path;
    const types = initial.map(({ type }): string => type);
    this.#required = new Set(types.filter((type) => type !== 'Webhook'));
    // The file of policies is read once.
    this.#policies = initial.flatMap((one) => (one.type === 'ABAC' ? one.policies : []));
    this.#last = checkedAuthorization(path);
  }

  /** Undefined where the file says nothing else than before. Throws Fault for one that cannot be used. */
  read(): AuthorizerSpec[] | undefined {
    const found = checkedAuthorization(this.#path, this.#required);
    if (isDeepStrictEqual(found, this.#last)) return undefined;
    this.#last = found;
    const late = found.find(
      ({ type }) => setUpAtStart.includes(type) && !this.#required.has(type),
    )?.type;
    if (late !== undefined) {
      throw new Fault(
        { code: 'bad-configuration', path: this.#path },
        `Cannot use ${this.#path}: authorizer type ${late} is not allowed if it was not enabled at initial server startup`,
      );
    }
    return authorizerSpecs(this.#path, found, () => this.#policies);
  }
}
