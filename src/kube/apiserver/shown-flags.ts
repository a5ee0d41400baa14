// What /flagz shows: the flags of kube-apiserver that this server takes, with the values that hold.
import { accessFlagNames, flagKey } from './access-flag-names.ts';
import type { AccessFlags } from './flag-values.ts';

/** What holds where nothing is said, as Go writes it; others are empty. */
const presets: Readonly<Record<string, string>> = {
  'anonymous-auth': 'true',
  'audit-log-format': 'json',
  'audit-log-maxage': '366',
  'audit-log-maxbackup': '100',
  'audit-log-maxsize': '100',
  'audit-log-mode': 'blocking',
  'audit-webhook-batch-buffer-size': '10000',
  'audit-webhook-batch-max-size': '400',
  'audit-webhook-batch-max-wait': '30s',
  'authentication-token-webhook-cache-ttl': '2m0s',
  'authorization-mode': 'Node,RBAC',
  'authorization-webhook-cache-authorized-ttl': '5m0s',
  'authorization-webhook-cache-unauthorized-ttl': '30s',
  'oidc-signing-algs': 'RS256',
  'oidc-username-claim': 'sub',
  'service-account-extend-token-expiration': 'true',
  'service-account-max-token-expiration': '0s',
  'shutdown-delay-duration': '0s',
  'shutdown-send-retry-after': 'false',
  'shutdown-watch-termination-grace-period': '0s',
};

function valueOf(given: unknown, kind: string, preset: string): string {
  const text = Array.isArray(given) ? given.join(',') : String(given ?? preset);
  return kind === 'list' ? `[${text}]` : text;
}

/** By name, without dashes. Flags name files and addresses: none of them holds a secret. */
export function shownFlags(flags: AccessFlags): Record<string, string> {
  return Object.fromEntries(
    accessFlagNames.map(([name, kind]) => [
      name,
      valueOf(flags[flagKey(name)], kind, presets[name] ?? ''),
    ]),
  );
}
