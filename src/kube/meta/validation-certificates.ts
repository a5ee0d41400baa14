// Validates requests for certificates and bundles of trust in what their text alone says, as kube-apiserver
// v1.37 does; what has to be decoded is looked at in apiserver/certificate-validation.ts.
import { same } from '#base/same.ts';
import { list, oneOf, record } from './field-rules.ts';
import { shownAs } from './go-shown.ts';
import {
  duplicate,
  invalidShown,
  invalidValue,
  nameProblem,
  qualifiedNameProblems,
  requiredValue,
} from './names.ts';
import type { KubeObject } from './object.ts';
import type { StatusCause } from './status.ts';

type Rule = (object: KubeObject, old?: KubeObject) => StatusCause[];
type UpdateRule = (object: KubeObject, old: KubeObject) => StatusCause[];

const DOMAIN_CHARACTERS_MAX = 253;
const LEGACY = 'kubernetes.io/legacy-unknown';

function labels(rule: 'label' | 'subdomain', text: string, field: string): StatusCause[] {
  for (const label of text.split('.')) {
    const wrong = nameProblem(rule, label);
    if (wrong === undefined) continue;
    return [invalidValue(field, text, `validating label ${JSON.stringify(label)}: ${wrong}`)];
  }
  return [];
}

export function signerName(value: unknown, field = 'spec.signerName'): StatusCause[] {
  const text = String(value ?? '');
  if (text === '') return [requiredValue(field)];
  const [domain = '', path = '', ...more] = text.split('/');
  if (!text.includes('/') || more.length > 0) {
    const why = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
    return [invalidValue(field, text, why)];
  }
  const causes: StatusCause[] = [];
  if (domain.length > DOMAIN_CHARACTERS_MAX) {
    const message = `Too long: may not be more than ${DOMAIN_CHARACTERS_MAX} bytes`;
    causes.push({ reason: 'FieldValueTooLong', message, field });
  }
  causes.push(...labels('label', domain, field));
  if (!domain.includes('.')) {
    const why = 'should be a domain with at least two segments separated by dots';
    causes.push(invalidValue(field, domain, why));
  }
  causes.push(...labels('subdomain', path, field));
  return causes;
}

const USAGES = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];

const SECONDS_MIN = 600;

const validateRequest: Rule = (object) => {
  const spec = record(object['spec']);
  const causes: StatusCause[] = [];
  const usages = list(spec['usages']) as readonly unknown[];
  if (usages.length === 0) causes.push(requiredValue('spec.usages'));
  usages.forEach((usage, index) => {
    const field = `spec.usages[${index}]`;
    causes.push(...oneOf(field, usage, USAGES));
    if (usages.indexOf(usage) < index) causes.push(duplicate(field, usage));
  });
  if (spec['signerName'] === LEGACY) {
    const why = 'the legacy signerName is not allowed via this API version';
    causes.push(invalidValue('spec.signerName', LEGACY, why));
  } else causes.push(...signerName(spec['signerName']));
  const { expirationSeconds: seconds } = spec;
  if (typeof seconds === 'number' && seconds < SECONDS_MIN) {
    const why = 'may not specify a duration less than 600 seconds (10 minutes)';
    causes.push(invalidValue('spec.expirationSeconds', seconds, why));
  }
  return causes;
};

const validateBundle: Rule = (object) => {
  const { signerName: signer } = record(object['spec']);
  const { name = '' } = object.metadata;
  if (!signer) return [];
  const prefix = `${String(signer).replaceAll('/', ':')}:`;
  const why = `ClusterTrustBundle for signerName ${String(signer)} must be named with prefix ${prefix}`;
  const causes = signerName(signer);
  if (name !== '' && !name.startsWith(prefix))
    causes.push(invalidValue('metadata.name', name, why));
  return causes;
};

const UID_CHARACTERS_MAX = 128;

function uid(spec: Record<string, unknown>, name: string): StatusCause[] {
  const text = String(spec[name] ?? '');
  const field = `spec.${name}`;
  if (text === '') return [invalidValue(field, '', 'must not be empty')];
  if (text.length <= UID_CHARACTERS_MAX) return [];
  const message = `Too long: may not be more than ${UID_CHARACTERS_MAX} bytes`;
  return [{ reason: 'FieldValueTooLong', message, field }];
}

const HOUR = 3_600;
const DAY = 24 * HOUR;

/** Keys with a domain. */
function userAnnotations(annotations: unknown, field: string): StatusCause[] {
  return Object.keys(record(annotations)).flatMap((key) =>
    qualifiedNameProblems(key.toLowerCase()).map((why) =>
      invalidValue(field, key.toLowerCase(), why),
    ),
  );
}

const validatePodRequest: Rule = (object, old) => {
  // What cannot change is not judged again.
  if (old !== undefined) return [];
  const spec = record(object['spec']);
  const causes = [
    ...signerName(spec['signerName']),
    ...userAnnotations(spec['unverifiedUserAnnotations'], 'spec.unverifiedUserAnnotations'),
  ];
  for (const [who, id] of [
    ['podName', 'podUID'],
    ['serviceAccountName', 'serviceAccountUID'],
    ['nodeName', 'nodeUID'],
  ] as const) {
    const name = String(spec[who] ?? '');
    const wrong = nameProblem('subdomain', name);
    if (wrong !== undefined) causes.push(invalidValue(`spec.${who}`, name, wrong));
    causes.push(...uid(spec, id));
  }
  const field = 'spec.maxExpirationSeconds';
  const seconds = spec['maxExpirationSeconds'];
  if (typeof seconds !== 'number') return [...causes, requiredValue(field, 'must be set')];
  const isOwn = String(spec['signerName'] ?? '').startsWith('kubernetes.io/');
  const most = isOwn ? DAY : 91 * DAY;
  if (seconds < HOUR || seconds > most) {
    causes.push(invalidValue(field, seconds, `must be in the range [${HOUR}, ${most}]`));
  }
  return causes;
};

/** It stays as it is, whatever part of the request is written. */
const fixedPodRequest: UpdateRule = (object, old) =>
  same(object['spec'], old['spec'])
    ? []
    : [
        invalidShown(
          'spec',
          shownAs('@PodCertificateRequestSpec', object['spec']),
          'field is immutable',
        ),
      ];

export const certificateUpdateRules: Readonly<Record<string, UpdateRule>> = {
  'certificates.k8s.io/PodCertificateRequest': fixedPodRequest,
};

export const certificateRules: Readonly<Record<string, Rule>> = {
  'certificates.k8s.io/CertificateSigningRequest': validateRequest,
  'certificates.k8s.io/ClusterTrustBundle': validateBundle,
  'certificates.k8s.io/PodCertificateRequest': validatePodRequest,
};
