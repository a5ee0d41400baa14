// Validates custom resource definitions as kube-apiserver v1.37 does.
import { same } from '#base/same.ts';
import { isObject, list, named, oneOf, record, type Json } from './field-rules.ts';
import { shownAs } from './go-shown.ts';
import { invalidShown, invalidValue, nameProblem, requiredValue } from './names.ts';
import type { KubeObject } from './object.ts';
import type { StatusCause } from './status.ts';

type Rule = (object: KubeObject, old?: KubeObject) => StatusCause[];

const WARNING_LENGTH_MAX = 256;

function deprecation({ deprecationWarning: text }: Json, at: string): StatusCause[] {
  const field = `${at}.deprecationWarning`;
  if (text === '') return [invalidValue(field, '', 'must not be an empty string')];
  if (typeof text !== 'string' || text.length <= WARNING_LENGTH_MAX) return [];
  const why = `must be <= ${WARNING_LENGTH_MAX} characters long`;
  return [invalidValue(field, text, why)];
}

const hasOneStored = (versions: readonly Json[]): boolean =>
  versions.filter(({ storage }) => storage === true).length === 1;

const common = ['schema', 'subresources', 'additionalPrinterColumns', 'selectableFields'];

/** As Go prints them: what all versions have alike is kept elsewhere. */
export function shownVersions(given: unknown): string {
  const versions = list(given);
  const [first = {}] = versions;
  const alike = common.filter((name) => versions.every((one) => same(one[name], first[name])));
  const all = versions.map((one) =>
    Object.fromEntries(Object.entries(one).filter(([name]) => !alike.includes(name))),
  );
  return shownAs('[@CustomResourceDefinitionVersion', Array.isArray(given) ? all : null);
}

function validateVersions(spec: Json): StatusCause[] {
  const versions = list(spec['versions']);
  const causes: StatusCause[] = [];
  versions.forEach((version, index) => {
    const schema = record(version['schema'])['openAPIV3Schema'];
    const at = `spec.versions[${index}]`;
    const name = version['name'] ?? '';
    causes.push(...named(`${at}.name`, name, 'label1035'));
    // The older field for the one version that there was is the first of them.
    if (index === 0 && name !== '') causes.push(...named('spec.version', name, 'label1035'));
    causes.push(...deprecation(version, at));
    if (!isObject(schema)) causes.push(requiredValue(`${at}.schema.openAPIV3Schema`));
  });
  if (!hasOneStored(versions)) {
    const why = 'must have exactly one version marked as storage version';
    causes.push(invalidShown('spec.versions', shownVersions(spec['versions']), why));
  }
  return causes;
}

/** Kinds may have capital letters. */
function kindName(field: string, value: string): StatusCause[] {
  const wrong = nameProblem('label1035', value.toLowerCase());
  if (wrong === undefined) return [];
  return [invalidValue(field, value, `may have mixed case, but should otherwise match: ${wrong}`)];
}

const validateDefinition: Rule = (object, old) => {
  const spec = record(object['spec']);
  const names = record(spec['names']);
  const { name = '' } = object.metadata;
  const group = String(spec['group'] ?? '');
  const causes: StatusCause[] = [];
  // The name of one that is there stays, and so must what it is made of.
  const { generateName = '' } = object.metadata;
  for (const [field, given] of [
    ['metadata.generateName', generateName],
    ['metadata.name', name],
  ] as const) {
    const isRight = given === `${String(names['plural'] ?? '')}.${group}`;
    if (old !== undefined || given === '' || isRight) continue;
    causes.push(invalidValue(field, given, 'must be spec.names.plural+"."+spec.group'));
  }
  if (group === '') causes.push(requiredValue('spec.group'));
  const wrongGroup = named('spec.group', group || undefined, 'subdomain');
  causes.push(...wrongGroup);
  if (group !== '' && wrongGroup.length === 0 && !group.includes('.')) {
    causes.push(invalidValue('spec.group', group, 'should be a domain with at least one dot'));
  }
  if (spec['scope']) {
    causes.push(...oneOf('spec.scope', spec['scope'], ['Cluster', 'Namespaced']));
  } else causes.push(requiredValue('spec.scope'));
  causes.push(...validateVersions(spec));
  for (const field of ['plural', 'singular', 'kind', 'listKind']) {
    const at = `spec.names.${field}`;
    const value = String(names[field] ?? '');
    if (value === '') causes.push(requiredValue(at));
    else if (/kind$/i.test(field)) causes.push(...kindName(at, value));
    else causes.push(...named(at, value, 'label1035'));
  }
  if (names['kind'] && names['kind'] === names['listKind']) {
    const why = 'kind and listKind may not be the same';
    causes.push(invalidValue('spec.names.listKind', names['listKind'], why));
  }
  const stored = list(record(object['status'])['storedVersions']);
  if (!hasOneStored(list(spec['versions'])) && stored.length === 0) {
    const why = 'must have at least one stored version';
    causes.push(invalidValue('status.storedVersions', null, why));
  }
  return causes;
};

export const definitionRules: Readonly<Record<string, Rule>> = {
  'apiextensions.k8s.io/CustomResourceDefinition': validateDefinition,
};
