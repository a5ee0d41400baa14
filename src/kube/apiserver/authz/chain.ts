// The authorizers of a server, in the order of its configuration.
import type { Env } from '#env/env.ts';
import { AttributeAuthorizer } from './attribute-policies.ts';
import { ALLOW, superusers, type Authorizer, type NamedAuthorizer } from './authorizer.ts';
import type { AuthorizerSpec } from './authorization-configuration.ts';
import { WebhookAuthorizer } from './webhook-authorizer.ts';

export interface OwnAuthorizers {
  readonly node: Authorizer;
  readonly rbac: Authorizer;
}

const all = ['*'];
const alwaysAllow: Authorizer = {
  authorize: () => ALLOW,
  rules: () => ({
    rules: [
      { verbs: all, apiGroups: all, resources: all },
      { verbs: all, nonResourceURLs: all },
    ],
  }),
};
const alwaysDeny: Authorizer = {
  authorize: () => ({ kind: 'none', reason: 'Everything is forbidden.' }),
};

function authorizerOf(spec: AuthorizerSpec, own: OwnAuthorizers, env: Env): Authorizer {
  switch (spec.type) {
    case 'Node':
      return own.node;
    case 'RBAC':
      return own.rbac;
    case 'AlwaysAllow':
      return alwaysAllow;
    case 'AlwaysDeny':
      return alwaysDeny;
    case 'ABAC':
      return new AttributeAuthorizer(spec.policies);
    case 'Webhook':
      return new WebhookAuthorizer(spec.webhook, env);
  }
}

const preset: readonly AuthorizerSpec[] = [
  { type: 'Node', name: 'node' },
  { type: 'RBAC', name: 'rbac' },
];

/** First those who may do everything, whatever is configured. */
export function namedAuthorizers(
  specs: readonly AuthorizerSpec[] = preset,
  own: OwnAuthorizers,
  env: Env,
): NamedAuthorizer[] {
  const configured = specs.map((spec) => ({
    name: spec.name,
    authorizer: authorizerOf(spec, own, env),
  }));
  return [{ name: 'system:masters', authorizer: superusers }, ...configured];
}
