// The authorizers of a server, in the order of its configuration.
import type { Env } from '#env/env.ts';
import type { AuthorizationMetrics } from '#kube/apiserver/metrics/authorization-metrics.ts';
import { AttributeAuthorizer } from './attribute-policies.ts';
import {
  ALLOW,
  superusers,
  type Authorizer,
  type Decision,
  type NamedAuthorizer,
} from './authorizer.ts';
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

interface Surroundings {
  readonly metrics: AuthorizationMetrics;
  readonly env: Env;
}

function authorizerOf(
  spec: AuthorizerSpec,
  own: OwnAuthorizers,
  { metrics, env }: Surroundings,
): Authorizer {
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
      return new WebhookAuthorizer(spec.name, spec.webhook, metrics, env);
  }
}

/** What it decides is counted; no opinion is no decision. */
function counted(
  { type, name }: AuthorizerSpec,
  authorizer: Authorizer,
  metrics: AuthorizationMetrics,
): Authorizer {
  const count = metrics.decider(type, name);
  const note = (decision: Decision): Decision => {
    if (decision.kind !== 'none') count(decision.kind);
    return decision;
  };
  const { rules } = authorizer;
  return {
    authorize: (access) => {
      const found = authorizer.authorize(access);
      return found instanceof Promise ? found.then(note) : note(found);
    },
    ...(rules === undefined ? {} : { rules: rules.bind(authorizer) }),
  };
}

const preset: readonly AuthorizerSpec[] = [
  { type: 'Node', name: 'node' },
  { type: 'RBAC', name: 'rbac' },
];

/** First those who may do everything, whatever is configured. */
export function namedAuthorizers(
  specs: readonly AuthorizerSpec[] = preset,
  own: OwnAuthorizers,
  surroundings: Surroundings,
): NamedAuthorizer[] {
  const configured = specs.map((spec) => ({
    name: spec.name,
    authorizer: counted(spec, authorizerOf(spec, own, surroundings), surroundings.metrics),
  }));
  return [{ name: 'system:masters', authorizer: superusers }, ...configured];
}
