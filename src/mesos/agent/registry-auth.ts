// Logs in to image registries: user names and passwords from a Docker config (`--docker_config`, or the
// image's own secret), as Basic, or for the bearer tokens that a registry's own service gives out.

interface Login {
  readonly user: string;
  readonly password: string;
}

/** What is answered to 401: `Bearer realm="…",service="…",scope="…"`. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

export class DockerConfig {
  readonly #logins: ReadonlyMap<string, Login>;

  constructor(logins: ReadonlyMap<string, Login>) {
    this.#logins = logins;
  }

  /** `{"auths": {"registry.example": {"auth": "dXNlcjpwYXNz"}}}`; older files have no `auths`. */
  static parse(text: string): DockerConfig {
    let config: unknown;
    try {
      config = JSON.parse(text);
    } catch (cause) {
      throw new Error('the Docker config is no JSON', { cause });
    }
    if (typeof config !== 'object' || config === null) throw new Error('it is no Docker config');
    const auths = (config as { auths?: unknown }).auths ?? config;
    const logins = new Map<string, Login>();
    for (const [registry, value] of Object.entries(auths as Record<string, unknown>)) {
      const { auth, username, password } = (value ?? {}) as Record<string, string | undefined>;
      const text = auth === undefined ? undefined : Buffer.from(auth, 'base64').toString('utf8');
      const colon = text?.indexOf(':') ?? -1;
      if (text !== undefined && colon > 0) {
        const login = { user: text.slice(0, colon), password: text.slice(colon + 1) };
        logins.set(hostOf(registry), { ...login, password: login.password.replace(/\0+$/, '') });
      } else if (username !== undefined && password !== undefined) {
        logins.set(hostOf(registry), { user: username, password });
      }
    }
    return new DockerConfig(logins);
  }

  loginFor(registry: string): Login | undefined {
    return this.#logins.get(hostOf(registry));
  }
}

export const NO_LOGINS = new DockerConfig(new Map());

/** Docker's own registry has several names, and its key in a config is an address with a path. */
function hostOf(registry: string): string {
  const host = registry.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return /(^|\.)docker\.io$/.test(host) ? 'docker.io' : host;
}

export function parseChallenge(header: string | null): Challenge | undefined {
  const [, scheme, rest = ''] = /^\s*(\w+)\s*(.*)$/s.exec(header ?? '') ?? [];
  if (scheme === undefined) return undefined;
  const found = rest.matchAll(/(\w+)=(?:"([^"]*)"|([^\s,]+))/g);
  const parameters: Record<string, string> = {};
  for (const [, name = '', quoted, plain] of found) {
    parameters[name.toLowerCase()] = quoted ?? plain ?? '';
  }
  return { scheme: scheme.toLowerCase(), parameters };
}

function basicOf({ user, password }: Login): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/**
 * The Authorization header that answers a challenge; undefined when there is no answer to it. A token
 * is asked for also without a login: public images want one, too.
 */
export async function authorize(
  challenge: Challenge | undefined,
  place: { readonly registry: string; readonly repository: string },
  config: DockerConfig,
  signal: AbortSignal,
): Promise<string | undefined> {
  const login = config.loginFor(place.registry);
  if (challenge?.scheme === 'basic') return login === undefined ? undefined : basicOf(login);
  const { realm, service, scope } = challenge?.parameters ?? {};
  if (challenge?.scheme !== 'bearer' || realm === undefined) return undefined;
  const url = new URL(realm);
  if (url.protocol === 'http:' && place.registry.startsWith('https:')) {
    throw new Error(`The registry wants a password sent in the clear, to ${url.host}`);
  }
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', scope ?? `repository:${place.repository}:pull`);
  const headers: Record<string, string> =
    login === undefined ? {} : { authorization: basicOf(login) };
  const response = await fetch(url, { headers, signal });
  if (!response.ok) {
    throw new Error(`${url.origin}${url.pathname} was answered with ${response.status}`);
  }
  const answer = (await response.json()) as { token?: unknown; access_token?: unknown };
  const token = answer.token ?? answer.access_token;
  if (typeof token !== 'string') throw new Error(`${url.origin} gave no token`);
  return `Bearer ${token}`;
}
