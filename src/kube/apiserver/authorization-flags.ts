// The flags of kube-apiserver that say who may what: which authorizers are asked, in which order. Checks and words as
// kube-apiserver v1.37.
import { joinedFailures } from '#kube/meta/status.ts';
import { readPolicies } from './authz/attribute-policies.ts';
import { readAuthorization, type AuthorizerSpec } from './authz/authorization-configuration.ts';
import { badFlag, durationFlag, listFlag, textFlag, type AccessFlags } from './flag-values.ts';
import { readEndpoint } from './kubeconfig-endpoint.ts';

const MODE = 'authorization-mode';
const POLICY = 'authorization-policy-file';
const WEBHOOK = 'authorization-webhook-config-file';

const isKnown = (mode: string): mode is AuthorizerSpec['type'] =>
  ['AlwaysAllow', 'AlwaysDeny', 'ABAC', 'Webhook', 'RBAC', 'Node'].includes(mode);

/** In the order in which they are asked; undefined where nothing is said. */
export function authorizationModes(flags: AccessFlags): string[] | undefined {
  const modes = listFlag(flags, MODE);
  return modes.length === 0 ? undefined : modes;
}

function problemsOf(flags: AccessFlags, modes: readonly string[]): string[] {
  const [policy, webhook] = [textFlag(flags, POLICY), textFlag(flags, WEBHOOK)];
  const found: string[] = [];
  for (const mode of modes) {
    if (!isKnown(mode)) found.push(`${MODE} ${JSON.stringify(mode)} is not a valid mode`);
    if (mode === 'ABAC' && policy === undefined)
      found.push(`${MODE} ABAC's authorization policy file not passed`);
    if (mode === 'Webhook' && webhook === undefined)
      found.push(`${MODE} Webhook's authorization config file not passed`);
  }
  if (policy !== undefined && !modes.includes('ABAC'))
    found.push(`cannot specify --${POLICY} without mode ABAC`);
  if (webhook !== undefined && !modes.includes('Webhook'))
    found.push(`cannot specify --${WEBHOOK} without mode Webhook`);
  if (new Set(modes).size !== modes.length) {
    const all = modes.map((mode) => JSON.stringify(mode)).join(' ');
    found.push(`${MODE} [${all}] has mode specified more than once`);
  }
  return found;
}

/** Throws Fault. */
export function authorizersOf(flags: AccessFlags): AuthorizerSpec[] {
  const file = textFlag(flags, 'authorization-config');
  const policy = textFlag(flags, POLICY);
  const modes = authorizationModes(flags);
  if (file !== undefined) {
    if (modes !== undefined || textFlag(flags, WEBHOOK) !== undefined) {
      throw badFlag(
        'authorization-config',
        `--authorization-config can not be specified when --${MODE} or --authorization-webhook-* flags are defined`,
      );
    }
    return readAuthorization(file, policy);
  }
  const wanted = modes ?? ['Node', 'RBAC'];
  const problems = problemsOf(flags, wanted);
  if (problems.length > 0) throw badFlag(MODE, joinedFailures(problems));
  return wanted.filter(isKnown).map((type): AuthorizerSpec => {
    const name = type.toLowerCase();
    switch (type) {
      case 'ABAC':
        return { type, name, policies: readPolicies(policy ?? '') };
      case 'Webhook':
        return { type, name: 'default', webhook: webhookOf(flags) };
      default:
        return { type, name };
    }
  });
}

function webhookOf(flags: AccessFlags): (AuthorizerSpec & { type: 'Webhook' })['webhook'] {
  const ttlMs = (which: string, preset: string): number =>
    durationFlag(flags, `authorization-webhook-cache-${which}-ttl`, preset);
  return {
    endpoint: readEndpoint(textFlag(flags, WEBHOOK) ?? ''),
    authorizedTtlMs: ttlMs('authorized', '5m'),
    unauthorizedTtlMs: ttlMs('unauthorized', '30s'),
    timeoutMs: 30_000,
    failurePolicy: 'NoOpinion',
    matchConditions: [],
  };
}
