// Kubeconfigs of components that tests run as processes of their own against an API server of theirs.
import type { ApiServer } from '#kube/apiserver/server.ts';
import { kubeconfig } from '#kube/pki/authority.ts';

/** With a client certificate of the server's authority, for example of system:kube-scheduler. */
export async function componentConfig(
  server: ApiServer,
  user: string,
  organizations: readonly string[] = [],
): Promise<object> {
  const { authority, url } = server;
  const pair = await authority.issueClient({ commonName: user, organizations }, Date.now());
  return kubeconfig({ server: url, caCert: authority.caCert, pair, user, cluster: 'test' });
}
