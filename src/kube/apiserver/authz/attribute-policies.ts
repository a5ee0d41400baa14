// Who may what by a file of policies, one a line (--authorization-policy-file): attribute-based access control as
// kube-apiserver v1.37 has it, with policies of v1beta1 and those of before there were versions.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { Fault } from '#base/fault.ts';
import { openProblem } from '#kube/apiserver/flag-values.ts';
import { goJsonFault } from '#kube/meta/go-json-error.ts';
import type { AccessRequest, Rule } from '#kube/apiserver/rbac.ts';
import type { UserInfo } from '#kube/apiserver/user.ts';
import { ALLOW, noOpinion, type Authorizer, type Decision, type KnownRules } from './authorizer.ts';

/** Empty is what is not said. */
export interface AttributePolicy {
  readonly user: string;
  readonly group: string;
  readonly readonly: boolean;
  readonly apiGroup: string;
  readonly resource: string;
  readonly namespace: string;
  readonly nonResourcePath: string;
}

const GROUP = 'abac.authorization.kubernetes.io';
const AUTHENTICATED = 'system:authenticated';
/** Of a line, of what Go's scanner reads. */
const LINE_BYTES_MAX = 64 * 1024;

const texts = ['user', 'group', 'apiGroup', 'resource', 'namespace', 'nonResourcePath'] as const;

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** Throws Error in Go's words for what has another type. */
function fieldsOf(object: Json, field: (name: string) => string): AttributePolicy {
  const value = (name: string, type: 'string' | 'bool'): unknown => {
    const found = object[name];
    if (found === undefined || found === null || kindOf(found) === type) return found;
    throw new Error(
      `json: cannot unmarshal ${kindOf(found)} into Go struct field ${field(name)} of type ${type}`,
    );
  };
  const said = Object.fromEntries(texts.map((name) => [name, value(name, 'string') ?? '']));
  return { ...said, readonly: value('readonly', 'bool') === true } as AttributePolicy;
}

/** Everybody is everybody who has shown who they are. */
function withEverybody(policy: AttributePolicy): AttributePolicy {
  const { user, group } = policy;
  return user === '*' || group === '*' ? { ...policy, user: '', group: AUTHENTICATED } : policy;
}

/** As of before there were groups of APIs: what is not said is anything. */
function unversioned(object: Json): AttributePolicy {
  const said = fieldsOf(object, (name) => `Policy.${name}`);
  const { user, group, namespace, resource } = said;
  return withEverybody({
    ...said,
    group: user === '' && group === '' ? AUTHENTICATED : group,
    namespace: namespace === '' ? '*' : namespace,
    resource: resource === '' ? '*' : resource,
    apiGroup: '*',
    nonResourcePath: namespace === '' && resource === '' ? '*' : '',
  });
}

const READ = "couldn't get version/kind; json parse error: ";

/** As YAML where it is no JSON. Throws Error. */
function objectOf(line: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    try {
      value = parse(line);
    } catch {
      throw new Error(READ + (goJsonFault(line) ?? (error as Error).message), { cause: error });
    }
  }
  if (value === null) return {};
  if (!isObject(value)) {
    throw new Error(
      `${READ}json: cannot unmarshal ${kindOf(value)} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`,
    );
  }
  for (const field of ['apiVersion', 'kind']) {
    const found = value[field] ?? '';
    if (typeof found === 'string') continue;
    throw new Error(
      `${READ}json: cannot unmarshal ${kindOf(found)} into Go struct field .${field} of type string`,
    );
  }
  return value;
}

/** Throws Error. */
function policyOf(line: string): AttributePolicy {
  const object = objectOf(line);
  const { apiVersion = '', kind = '', spec } = object;
  const isVersioned = apiVersion === `${GROUP}/v1beta1`;
  if (apiVersion === '' || kind === '') return unversioned(object);
  if (kind !== 'Policy' || !(isVersioned || apiVersion === `${GROUP}/v0`)) {
    const [what, where] = [JSON.stringify(kind), JSON.stringify(apiVersion)];
    throw new Error(
      `no kind ${what} is registered for version ${where} in scheme "pkg/runtime/scheme.go:111"`,
    );
  }
  if (!isVersioned) return unversioned(object);
  if (spec !== undefined && spec !== null && !isObject(spec)) {
    throw new Error(
      `json: cannot unmarshal ${kindOf(spec)} into Go struct field Policy.spec of type v1beta1.PolicySpec`,
    );
  }
  return withEverybody(fieldsOf(spec ?? {}, (name) => `PolicySpec.spec.${name}`));
}

/** Throws Fault. */
export function readPolicies(path: string): AttributePolicy[] {
  const refuse = (why: string, cause?: unknown): Fault =>
    new Fault(
      { code: 'bad-file', path },
      `invalid authorization config: ${why}`,
      cause === undefined ? {} : { cause },
    );
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw refuse(openProblem(path, error), error);
  }
  return text.split('\n').flatMap((line, i) => {
    if (Buffer.byteLength(line) >= LINE_BYTES_MAX) {
      throw refuse(`error reading policy file ${path}: bufio.Scanner: token too long`);
    }
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) return [];
    try {
      return [policyOf(line)];
    } catch (error) {
      const why = (error as Error).message;
      const own = line.replace(/\r$/, '');
      throw refuse(`error reading policy file ${path}, line ${i + 1}: ${own}: ${why}`, error);
    }
  });
}

const reads: ReadonlySet<string> = new Set(['get', 'list', 'watch']);

/** Whoever a policy names, by both when it names both. */
function isMeant({ user, group }: AttributePolicy, { name, groups }: UserInfo): boolean {
  if (user === '' && group === '') return false;
  return (user === '' || user === name) && (group === '' || groups.includes(group));
}

const fits = (wanted: string, value: string): boolean => wanted === '*' || wanted === value;

function isAbout(policy: AttributePolicy, access: AccessRequest): boolean {
  if (access.isResource) {
    return (
      fits(policy.namespace, access.namespace ?? '') &&
      fits(policy.resource, access.resource) &&
      fits(policy.apiGroup, access.group)
    );
  }
  const { nonResourcePath: path } = policy;
  if (fits(path, access.path)) return true;
  return path.endsWith('*') && access.path.startsWith(path.replace(/\*+$/, ''));
}

export class AttributeAuthorizer implements Authorizer {
  readonly #policies: readonly AttributePolicy[];

  constructor(policies: readonly AttributePolicy[]) {
    this.#policies = policies;
  }

  authorize(access: AccessRequest): Decision {
    const isAllowed = this.#policies.some(
      (policy) =>
        isMeant(policy, access.user) &&
        (!policy.readonly || reads.has(access.verb)) &&
        isAbout(policy, access),
    );
    return isAllowed ? ALLOW : noOpinion('No policy matched.');
  }

  rules(user: UserInfo, namespace: string): KnownRules {
    const rules = this.#policies.flatMap((policy): Rule[] => {
      if (!isMeant(policy, user) || !fits(policy.namespace, namespace)) return [];
      const { apiGroup, resource, nonResourcePath } = policy;
      const verbs = policy.readonly ? ['get', 'list', 'watch'] : ['*'];
      return [
        ...(resource === '' ? [] : [{ verbs, apiGroups: [apiGroup], resources: [resource] }]),
        ...(nonResourcePath === '' ? [] : [{ verbs, nonResourceURLs: [nonResourcePath] }]),
      ];
    });
    return { rules };
  }
}
