// Validates what requests are put into which queue by (flow schemas, priority levels), as kube-apiserver v1.37 does.
import { inRange, list, named, oneOf, record, type Json } from './field-rules.ts';
import { forbidden, invalidValue, nameProblem, requiredValue, unsupported } from './names.ts';
import type { KubeObject } from './object.ts';
import type { StatusCause } from './status.ts';

type Rule = (object: KubeObject) => StatusCause[];

const PRECEDENCE_MAX = 10_000;

const subjectFields = { User: 'user', Group: 'group', ServiceAccount: 'serviceAccount' } as const;

function subjectCauses(subject: Json, at: string): StatusCause[] {
  const { kind = '' } = subject;
  const own = Object.entries(subjectFields).find(([one]) => one === kind)?.[1];
  if (own === undefined) {
    return [unsupported(`${at}.kind`, kind, Object.keys(subjectFields).toSorted())];
  }
  const field = `${at}.${own}`;
  const causes: StatusCause[] = [];
  const who = subject[own];
  const { name, namespace } = record(who);
  if (who === undefined) {
    causes.push(requiredValue(field, `${own} is required when subject kind is '${String(kind)}'`));
  } else {
    if (!name) causes.push(requiredValue(`${field}.name`));
    else if (own === 'serviceAccount' && name !== '*') {
      causes.push(...named(`${field}.name`, name, 'subdomain'));
    }
    if (own === 'serviceAccount') {
      const why = 'must specify namespace for service account';
      causes.push(
        ...(namespace
          ? named(`${field}.namespace`, namespace, 'label')
          : [requiredValue(`${field}.namespace`, why)]),
      );
    }
  }
  for (const [other, name2] of Object.entries(subjectFields)) {
    if (name2 === own || subject[name2] === undefined) continue;
    const why = `${name2} is forbidden when subject kind is not '${other}'`;
    causes.push(forbidden(`${at}.${name2}`, why));
  }
  return causes;
}

const verbs = ['get', 'list', 'create', 'update', 'delete', 'deletecollection', 'patch'];
const allVerbs = [...verbs, 'watch', 'proxy'].toSorted();

const texts = (value: unknown): string[] => list(value) as unknown as string[];

/** `*` stands alone. */
function wildcard(values: readonly string[], field: string, what: string): StatusCause[] {
  if (values.length < 2 || !values.includes('*')) return [];
  return [invalidValue(field, values, `if '*' is present, must not specify other ${what}`)];
}

function verbCauses(given: unknown, field: string): StatusCause[] {
  const all = texts(given);
  if (all.length === 0) return [requiredValue(field, 'verbs must contain at least one value')];
  if (all.includes('*')) return wildcard(all, field, 'verbs');
  if (all.every((verb) => allVerbs.includes(verb))) return [];
  return [unsupported(field, all, allVerbs)];
}

function pathCauses(path: string, field: string): StatusCause[] {
  const stars = path.split('*').length - 1;
  const why =
    path === ''
      ? 'must not be empty'
      : path === '/'
        ? undefined
        : !path.startsWith('/')
          ? 'must start with slash'
          : path.includes(' ')
            ? 'must not contain white-space'
            : path.includes('//')
              ? 'must not contain double slash'
              : stars > 1 || (stars === 1 && !path.endsWith('/*'))
                ? 'wildcard can only do suffix matching'
                : undefined;
  return why === undefined ? [] : [invalidValue(field, path, why)];
}

function nonResourceRule(rule: Json, at: string): StatusCause[] {
  const urls = texts(rule['nonResourceURLs']);
  const field = `${at}.nonResourceURLs`;
  const causes = verbCauses(rule['verbs'], `${at}.verbs`);
  if (urls.length === 0) {
    causes.push(requiredValue(field, 'nonResourceURLs must contain at least one value'));
  }
  if (urls.includes('*')) return [...causes, ...wildcard(urls, field, 'non-resource URLs')];
  return [...causes, ...urls.flatMap((url, i) => pathCauses(url, `${field}[${i}]`))];
}

function flowResourceRule(rule: Json, at: string): StatusCause[] {
  const causes = verbCauses(rule['verbs'], `${at}.verbs`);
  const needs = (name: string, one: string, many: string): void => {
    const values = texts(rule[name]);
    const why = `resource rules must supply at least one ${one}`;
    if (values.length === 0) causes.push(requiredValue(`${at}.${name}`, why));
    causes.push(...wildcard(values, `${at}.${name}`, many));
  };
  needs('apiGroups', 'api group', 'api groups');
  needs('resources', 'resource', 'resources');
  const spaces = texts(rule['namespaces']);
  const field = `${at}.namespaces`;
  if (spaces.length === 0 && rule['clusterScope'] !== true) {
    const why = 'resource rules that are not cluster scoped must supply at least one namespace';
    return [...causes, requiredValue(field, why)];
  }
  if (spaces.includes('*')) return [...causes, ...wildcard(spaces, field, 'namespaces')];
  const intro = "each member of this list must be '*' or a DNS-1123 label; ";
  spaces.forEach((name, i) => {
    const wrong = nameProblem('label', name);
    if (wrong !== undefined) causes.push(invalidValue(`${field}[${i}]`, name, intro + wrong));
  });
  return causes;
}

function schemaRule(rule: Json, at: string): StatusCause[] {
  const { subjects, resourceRules, nonResourceRules } = rule;
  const causes = list(subjects).flatMap((one, i) => subjectCauses(one, `${at}.subjects[${i}]`));
  if (list(subjects).length === 0) {
    causes.push(requiredValue(`${at}.subjects`, 'subjects must contain at least one value'));
  }
  if (list(resourceRules).length === 0 && list(nonResourceRules).length === 0) {
    const why = 'at least one of resourceRules and nonResourceRules has to be non-empty';
    causes.push(requiredValue(at, why));
  }
  return [
    ...causes,
    ...list(resourceRules).flatMap((one, i) => flowResourceRule(one, `${at}.resourceRules[${i}]`)),
    ...list(nonResourceRules).flatMap((one, i) =>
      nonResourceRule(one, `${at}.nonResourceRules[${i}]`),
    ),
  ];
}

const validateFlowSchema: Rule = (object) => {
  const spec = record(object['spec']);
  const causes: StatusCause[] = [];
  const precedence = Number(spec['matchingPrecedence'] ?? 0);
  const field = 'spec.matchingPrecedence';
  const refuse = (why: string): void => void causes.push(invalidValue(field, precedence, why));
  if (precedence <= 0) refuse('must be a positive value');
  if (precedence > PRECEDENCE_MAX) refuse(`must not be greater than ${PRECEDENCE_MAX}`);
  if (precedence === 1 && object.metadata.name !== 'exempt') {
    refuse("only the schema named 'exempt' may have matchingPrecedence 1");
  }
  const method = spec['distinguisherMethod'];
  if (method !== undefined) {
    const types = ['ByNamespace', 'ByUser'];
    const { type = '' } = record(method);
    const at = 'spec.distinguisherMethod.type';
    if (!types.includes(String(type))) causes.push(unsupported(at, { Type: type }, types));
  }
  const { name } = record(spec['priorityLevelConfiguration']);
  const at = 'spec.priorityLevelConfiguration.name';
  if (!name) causes.push(requiredValue(at, 'must reference a priority level'));
  else causes.push(...named(at, name, 'subdomain'));
  list(spec['rules']).forEach((rule, i) => causes.push(...schemaRule(rule, `spec.rules[${i}]`)));
  return causes;
};

/** Of a part that goes with one type alone, where upstream generates the rule. */
const noPart = (field: string): StatusCause => ({
  reason: 'FieldValueForbidden',
  message: 'Forbidden',
  field,
});

const QUEUES_MAX = 10_000_000;

function queuing(given: Json, at: string): StatusCause[] {
  const { queues = 0, queueLengthLimit = 0, handSize = 0 } = given;
  const causes: StatusCause[] = [];
  const refuse = (name: string, value: unknown, why: string): void =>
    void causes.push(invalidValue(`${at}.${name}`, value, why));
  if (Number(queueLengthLimit) <= 0)
    refuse('queueLengthLimit', queueLengthLimit, 'must be positive');
  if (Number(queues) <= 0) refuse('queues', queues, 'must be positive');
  else if (Number(queues) > QUEUES_MAX) {
    refuse('queues', queues, `must not be greater than ${QUEUES_MAX}`);
  }
  if (Number(handSize) <= 0) {
    refuse('handSize', handSize, 'must be positive');
    return causes;
  }
  if (Number(handSize) > Number(queues)) {
    refuse('handSize', handSize, `should not be greater than queues (${String(queues)})`);
  }
  return causes;
}

function limitResponse(response: Json, at: string): StatusCause[] {
  const { type = '', queuing: given } = response;
  const field = `${at}.queuing`;
  const isOdd = type !== 'Queue' && given !== undefined ? [noPart(field)] : [];
  if (type === '') return [requiredValue(`${at}.type`), ...isOdd];
  if (type === 'Reject') return isOdd;
  if (type !== 'Queue') return [unsupported(`${at}.type`, type, ['Queue', 'Reject']), ...isOdd];
  return given === undefined ? [requiredValue(field)] : queuing(record(given), field);
}

function limitedLevel(limited: Json, at: string): StatusCause[] {
  const { nominalConcurrencyShares: shares = 0, lendablePercent, borrowingLimitPercent } = limited;
  const causes: StatusCause[] = [];
  if (Number(shares) < 0) {
    const why = 'must be a non-negative integer';
    causes.push(invalidValue(`${at}.nominalConcurrencyShares`, shares, why));
  }
  causes.push(...limitResponse(record(limited['limitResponse']), `${at}.limitResponse`));
  causes.push(...inRange(`${at}.lendablePercent`, lendablePercent, 0, 100));
  if (Number(borrowingLimitPercent) < 0) {
    const why = 'if specified, must be a non-negative integer';
    causes.push(invalidValue(`${at}.borrowingLimitPercent`, borrowingLimitPercent, why));
  }
  return causes;
}

const validatePriorityLevel: Rule = (object) => {
  const spec = record(object['spec']);
  const { type = '', limited, exempt } = spec;
  const causes: StatusCause[] = [];
  if ((object.metadata.name === 'exempt') !== (type === 'Exempt')) {
    const why = "must be 'Exempt' if and only if `name` is 'exempt'";
    causes.push(invalidValue('spec.type', type, why));
  }
  if (type === '') causes.push(requiredValue('spec.type'));
  else causes.push(...oneOf('spec.type', type, ['Exempt', 'Limited']));
  if (type === 'Limited') {
    if (exempt !== undefined) causes.push(noPart('spec.exempt'));
    causes.push(
      ...(limited === undefined
        ? [requiredValue('spec.limited')]
        : limitedLevel(record(limited), 'spec.limited')),
    );
  } else if (limited !== undefined) causes.push(noPart('spec.limited'));
  return causes;
};

export const flowControlRules: Readonly<Record<string, Rule>> = {
  'flowcontrol.apiserver.k8s.io/FlowSchema': validateFlowSchema,
  'flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration': validatePriorityLevel,
};
