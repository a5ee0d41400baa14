// Tokens with which nodes join: `<id>.<secret>`, kept as secrets of their own type in kube-system.
import { timingSafeEqual } from 'node:crypto';
import type { KubeObject } from '#kube/meta/object.ts';
import type { Lookup } from './token-refusal.ts';
import { authenticated, type UserInfo } from './user.ts';

const TYPE = 'bootstrap.kubernetes.io/token';
const NAMESPACE = 'kube-system';
const DEFAULT_GROUP = 'system:bootstrappers';
const groupName = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

export function isBootstrapToken(token: string): boolean {
  return /^[a-z0-9]{6}\.[a-z0-9]{16}$/.test(token);
}

function isSame(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}

/** undefined for what is no token that may authenticate now. */
export async function bootstrapUser(
  token: string,
  lookup: Lookup,
  now: number,
): Promise<UserInfo | undefined> {
  const [id = '', secret = ''] = token.split('.');
  const found: KubeObject | undefined = await lookup('secrets', NAMESPACE, `bootstrap-token-${id}`);
  if (found === undefined || found['type'] !== TYPE) return undefined;
  if (found.metadata.deletionTimestamp !== undefined) return undefined;
  const data = (found['data'] ?? {}) as Record<string, string>;
  const text = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString();
  if (!isSame(text('token-secret'), secret) || text('token-id') !== id) return undefined;
  const expiration = text('expiration');
  if (expiration !== '' && !(Date.parse(expiration) > now)) return undefined;
  if (text('usage-bootstrap-authentication') !== 'true') return undefined;
  const more = text('auth-extra-groups').split(',').filter(Boolean);
  if (more.some((one) => !groupName.test(one))) return undefined;
  const groups = [...new Set([DEFAULT_GROUP, ...more])].sort();
  return authenticated(`system:bootstrap:${id}`, groups);
}
