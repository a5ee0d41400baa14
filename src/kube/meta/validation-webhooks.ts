// Validates webhook configurations as kube-apiserver v1.37 does (pkg/apis/admissionregistration/validation):
// names, rules, where a webhook is, how long it may take. Match conditions are judged with the policies.
import { inRange, isObject, labelSelector, list, oneOf, record, type Json } from './field-rules.ts';
import { duplicate, invalidValue, nameProblem, requiredValue } from './names.ts';
import type { KubeObject } from './object.ts';
import type { StatusCause } from './status.ts';

type Rule = (object: KubeObject) => StatusCause[];

const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const reviewVersions = ['v1', 'v1beta1'];
const SECONDS_MAX = 30;

const texts = (value: unknown): string[] => list(value) as unknown as string[];
const mixed = (values: readonly string[]): boolean => values.length > 1 && values.includes('*');

function fullName(field: string, name: string): StatusCause[] {
  if (name === '') return [requiredValue(field)];
  const wrong = nameProblem('subdomain', name);
  if (wrong !== undefined) return [invalidValue(field, name, wrong)];
  if (name.split('.').length >= 3) return [];
  const why = 'should be a domain with at least three segments separated by dots';
  return [invalidValue(field, name, why)];
}

function resourceNames(field: string, names: readonly string[]): StatusCause[] {
  if (names.length === 0) return [requiredValue(field)];
  const causes: StatusCause[] = [];
  const [wholes, everywhere] = [new Set<string>(), new Set<string>()];
  let isPlainLast = false;
  names.forEach((name, i) => {
    const at = `${field}[${i}]`;
    if (name === '') return causes.push(requiredValue(at));
    const slash = name.indexOf('/');
    if (slash < 0) return (isPlainLast = name !== '*');
    const [resource, sub] = [name.slice(0, slash), name.slice(slash + 1)];
    const clash = (one: string): string => `if '${one}' is present, must not specify ${name}`;
    if (wholes.has(resource)) causes.push(invalidValue(at, name, clash(`${resource}/*`)));
    if (everywhere.has(sub)) causes.push(invalidValue(at, name, clash(`*/${sub}`)));
    if (sub === '*') wholes.add(resource);
    if (resource === '*') everywhere.add(sub);
    return undefined;
  });
  if (names.length > 1 && names.includes('*/*')) {
    const why = "if '*/*' is present, must not specify other resources";
    causes.push(invalidValue(field, names, why));
  }
  if (names.includes('*') && isPlainLast) {
    const why = "if '*' is present, must not specify other resources without subresources";
    causes.push(invalidValue(field, names, why));
  }
  return causes;
}

/** A rule of a webhook or of a policy: which operations on which resources it is about. */
export function resourceRule(rule: Json, at: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const all: readonly (readonly [string, string])[] = [
    ['operations', 'operations'],
    ['apiGroups', 'API groups'],
    ['apiVersions', 'API versions'],
  ];
  for (const [key, shown] of all) {
    const values = texts(rule[key]);
    const field = `${at}.${key}`;
    if (values.length === 0) causes.push(requiredValue(field));
    if (mixed(values)) {
      const why = `if '*' is present, must not specify other ${shown}`;
      causes.push(invalidValue(field, values, why));
    }
    values.forEach((one, i) => {
      if (key === 'operations') causes.push(...oneOf(`${field}[${i}]`, one, operations));
      if (key === 'apiVersions' && one === '') causes.push(requiredValue(`${field}[${i}]`));
    });
  }
  return [
    ...causes,
    ...resourceNames(`${at}.resources`, texts(rule['resources'])),
    ...oneOf(`${at}.scope`, rule['scope'], ['*', 'Cluster', 'Namespaced']),
  ];
}

function address(field: string, text: string): StatusCause[] {
  const form = '; desired format: https://host[/path]';
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text) || !URL.canParse(text)) {
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase() ?? '';
    const causes: StatusCause[] = [];
    if (scheme !== 'https') {
      const why = `'https' is the only allowed URL scheme${form}`;
      causes.push(invalidValue(field, scheme, why));
    }
    return [...causes, invalidValue(field, '', `host must be specified${form}`)];
  }
  const url = new URL(text);
  const causes: StatusCause[] = [];
  const refuse = (value: string, why: string): void =>
    void causes.push(invalidValue(field, value, why));
  if (url.protocol !== 'https:') {
    refuse(url.protocol.slice(0, -1), `'https' is the only allowed URL scheme${form}`);
  }
  if (url.host === '') refuse('', `host must be specified${form}`);
  const user = [url.username, url.password].filter(Boolean).join(':');
  if (user !== '') refuse(user, 'user information is not permitted in the URL');
  if (url.hash.length > 1) refuse(url.hash.slice(1), 'fragments are not permitted in the URL');
  if (url.search.length > 1) {
    refuse(url.search.slice(1), 'query parameters are not permitted in the URL');
  }
  return causes;
}

function servicePath(field: string, path: string): StatusCause[] {
  if (path === '/' || path === '') return [];
  if (path === '//') return [invalidValue(field, path, 'segment[0] may not be empty')];
  const causes: StatusCause[] = [];
  if (!path.startsWith('/')) causes.push(invalidValue(field, path, "must start with a '/'"));
  const steps = path.slice(1).replace(/\/$/, '').split('/');
  steps.forEach((step, i) => {
    const wrong = step === '' ? 'may not be empty' : nameProblem('subdomain', step);
    if (wrong === undefined) return;
    const why = step === '' ? `segment[${i}] ${wrong}` : `segment[${i}]: ${wrong}`;
    causes.push(invalidValue(field, path, why));
  });
  return causes;
}

/** The part of a server that is called: of webhooks, of conversions of custom resources. */
export function clientConfig(config: Json, at: string): StatusCause[] {
  const { url, service } = config;
  if ((url === undefined) === (service === undefined)) {
    return [requiredValue(at, 'exactly one of url or service is required')];
  }
  if (url !== undefined) return address(`${at}.url`, String(url));
  const { name, namespace, path, port = 443 } = record(service);
  const field = `${at}.service`;
  const causes: StatusCause[] = [];
  // Upstream tells the other of both to be missing.
  if (!name) causes.push(requiredValue(`${field}.namespace`));
  if (!namespace) causes.push(requiredValue(`${field}.name`));
  for (const { message, ...rest } of inRange(`${field}.port`, port, 1, 65_535)) {
    causes.push({ ...rest, message: message?.replace(/: must/, ': port is not valid: must') });
  }
  return path === undefined ? causes : [...causes, ...servicePath(`${field}.path`, String(path))];
}

function versions(values: readonly string[], field: string): StatusCause[] {
  if (values.length === 0) {
    return [requiredValue(field, `must specify one of ${reviewVersions.join(', ')}`)];
  }
  const causes: StatusCause[] = [];
  values.forEach((one, i) => {
    const at = `${field}[${i}]`;
    if (values.indexOf(one) < i) return causes.push(invalidValue(at, one, 'duplicate version'));
    const wrong = nameProblem('label1035', one);
    return wrong === undefined ? undefined : causes.push(invalidValue(at, one, wrong));
  });
  if (!values.some((one) => reviewVersions.includes(one))) {
    const why = `must include at least one of ${reviewVersions.join(', ')}`;
    causes.push(invalidValue(field, values, why));
  }
  return causes;
}

function webhook(one: Json, at: string): StatusCause[] {
  const { sideEffects, timeoutSeconds: seconds } = one;
  const quiet = ['None', 'NoneOnDryRun'];
  const causes = [
    ...fullName(`${at}.name`, String(one['name'] ?? '')),
    ...list(one['rules']).flatMap((rule, i) => resourceRule(rule, `${at}.rules[${i}]`)),
    ...oneOf(`${at}.failurePolicy`, one['failurePolicy'], ['Fail', 'Ignore']),
    ...oneOf(`${at}.matchPolicy`, one['matchPolicy'], ['Equivalent', 'Exact']),
    ...oneOf(`${at}.sideEffects`, sideEffects, quiet),
    ...oneOf(`${at}.reinvocationPolicy`, one['reinvocationPolicy'], ['IfNeeded', 'Never']),
    ...labelSelector(one['namespaceSelector'], `${at}.namespaceSelector`),
    ...labelSelector(one['objectSelector'], `${at}.objectSelector`),
    ...clientConfig(record(one['clientConfig']), `${at}.clientConfig`),
    ...versions(texts(one['admissionReviewVersions']), `${at}.admissionReviewVersions`),
  ];
  if (sideEffects === undefined) {
    const why = `must specify one of ${quiet.join(', ')}`;
    causes.push(requiredValue(`${at}.sideEffects`, why));
  }
  if (typeof seconds === 'number' && (seconds < 1 || seconds > SECONDS_MAX)) {
    const why = `the timeout value must be between 1 and ${SECONDS_MAX} seconds`;
    causes.push(invalidValue(`${at}.timeoutSeconds`, seconds, why));
  }
  return causes;
}

const validateWebhooks: Rule = (object) => {
  const seen = new Set<unknown>();
  return list(object['webhooks'])
    .filter(isObject)
    .flatMap((one, i) => {
      const at = `webhooks[${i}]`;
      const { name } = one;
      const twice = name && seen.has(name) ? [duplicate(`${at}.name`, name)] : [];
      seen.add(name);
      return [...webhook(one, at), ...twice];
    });
};

export const webhookRules: Readonly<Record<string, Rule>> = {
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration': validateWebhooks,
  'admissionregistration.k8s.io/MutatingWebhookConfiguration': validateWebhooks,
};
