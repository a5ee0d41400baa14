// The flags of kube-apiserver that this server takes, for the command line and for the file of an instance.
// Nothing is imported: short commands read it, too.

/** Every flag: its name and what its value is. */
export const accessFlagNames: readonly (readonly [name: string, value: string, what: string])[] = [
  ['advertise-address', 'ip', 'where clients in the cluster find this server (default: --host)'],
  ['token-auth-file', 'file', 'bearer tokens: token,user,uid,"group,group" a line'],
  ['anonymous-auth', 'boolean', 'whether clients without credentials are let in as anonymous'],
  ['client-ca-file', 'file', 'further authorities of certificates of clients'],
  ['requestheader-client-ca-file', 'file', 'authorities of proxies that may speak for users'],
  ['requestheader-allowed-names', 'list', 'common names of such proxies (default: any)'],
  ['authentication-config', 'file', 'AuthenticationConfiguration (apiserver.config.k8s.io/v1)'],
  ['api-audiences', 'list', 'whom tokens have to be for to be let in (default: the issuers)'],
  [
    'service-account-issuer',
    'url',
    'of tokens; given several times, the first issues, all are accepted',
  ],
  [
    'service-account-signing-key-file',
    'file',
    'private key that signs tokens (default: one of this server)',
  ],
  ['service-account-signing-endpoint', 'path', 'unix socket of who signs tokens instead'],
  [
    'service-account-key-file',
    'file',
    'keys, private or public, that tokens are checked by; may be given several times',
  ],
  ['service-account-jwks-uri', 'url', 'where the keys of tokens are said to be (default: here)'],
  ['service-account-max-token-expiration', 'duration', 'tokens live no longer (default: 2^32s)'],
  [
    'service-account-extend-token-expiration',
    'boolean',
    'tokens of pods live a year (default: true)',
  ],
  ['oidc-issuer-url', 'url', 'issuer of OpenID Connect tokens'],
  ['oidc-client-id', 'id', 'the audience that such tokens must be for'],
  ['oidc-username-claim', 'claim', 'the claim that is the user (default: sub)'],
  ['oidc-username-prefix', 'prefix', 'before each user; "-" for none'],
  ['oidc-groups-claim', 'claim', 'the claim that is the groups'],
  ['oidc-groups-prefix', 'prefix', 'before each group'],
  ['oidc-required-claim', 'key=value', 'a claim that tokens must have; may be given several times'],
  ['oidc-signing-algs', 'list', 'accepted algorithms (default: RS256)'],
  ['oidc-ca-file', 'file', 'authority of the certificate of the issuer'],
  ['authentication-token-webhook-config-file', 'file', 'kubeconfig of who reviews tokens'],
  ['authentication-token-webhook-cache-ttl', 'duration', 'how long its answers hold (2m)'],
  ['tls-cipher-suites', 'list', 'of TLS 1.2, by names of Go (default: those of Node)'],
  ['tls-min-version', 'version', 'VersionTLS12 or VersionTLS13 (default: VersionTLS12)'],
  [
    'tls-curve-preferences',
    'list',
    'by numbers of Go, such as 29 for X25519 (default: those of Node)',
  ],
  [
    'strict-transport-security-directives',
    'list',
    'max-age=SECONDS, includeSubDomains, preload: what browsers are told',
  ],
  [
    'authorization-mode',
    'list',
    'Node,RBAC,Webhook,ABAC,AlwaysAllow,AlwaysDeny (default: Node,RBAC)',
  ],
  ['authorization-policy-file', 'file', 'policies of mode ABAC, one in JSON a line'],
  ['authorization-config', 'file', 'AuthorizationConfiguration (apiserver.config.k8s.io/v1)'],
  ['authorization-webhook-config-file', 'file', 'kubeconfig of who reviews access'],
  ['authorization-webhook-cache-authorized-ttl', 'duration', 'how long a yes holds (5m)'],
  ['authorization-webhook-cache-unauthorized-ttl', 'duration', 'how long a no holds (30s)'],
  ['enable-admission-plugins', 'list', 'admission plugins beside those that are on by default'],
  ['disable-admission-plugins', 'list', 'admission plugins that take no part'],
  ['admission-control-config-file', 'file', 'AdmissionConfiguration (apiserver.config.k8s.io/v1)'],
  [
    'allow-metric-labels',
    'mapping',
    'METRIC,LABEL=VALUE,VALUE: other values of that label are told as "unexpected"',
  ],
  ['allow-metric-labels-manifest', 'file', 'the same, as YAML'],
  ['shutdown-delay-duration', 'duration', 'at the end, not ready but served for that long (0s)'],
  ['shutdown-send-retry-after', 'boolean', 'who comes at the end is told to come back (false)'],
  [
    'shutdown-watch-termination-grace-period',
    'duration',
    'in which watches end one after the other (0s: all at once)',
  ],
  ['audit-policy-file', 'file', 'Policy (audit.k8s.io/v1): what is written down'],
  ['audit-log-path', 'file', 'file of audit events; "-" for standard output'],
  ['audit-log-format', 'format', 'json or legacy (default: json)'],
  ['audit-log-mode', 'mode', 'blocking: before the answer (the default), or batch'],
  ['audit-log-maxsize', 'MiB', 'a bigger file is put aside (100)'],
  ['audit-log-maxbackup', 'count', 'files put aside that are kept (100; 0: all)'],
  ['audit-log-maxage', 'days', 'files put aside that are older go (366; 0: none)'],
  ['audit-webhook-config-file', 'file', 'kubeconfig of who is sent audit events'],
  ['audit-webhook-batch-max-size', 'count', 'events at once (400)'],
  ['audit-webhook-batch-max-wait', 'duration', 'before fewer are sent (30s)'],
  ['audit-webhook-batch-buffer-size', 'count', 'events that wait (10000)'],
];

/** Flags that may be given several times. */
export const repeatedFlags: ReadonlySet<string> = new Set([
  'allow-metric-labels',
  'api-audiences',
  'authorization-mode',
  'oidc-required-claim',
  'service-account-issuer',
  'service-account-key-file',
  'strict-transport-security-directives',
  'tls-cipher-suites',
  'tls-curve-preferences',
]);

/** Flag names as commander keeps them: --token-auth-file is `tokenAuthFile`. */
export function flagKey(flag: string): string {
  return flag.replaceAll(/-(\w)/g, (_all, letter: string) => letter.toUpperCase());
}
