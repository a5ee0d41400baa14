// Connections to a master, an agent or a driver: plain, or with TLS and the peer verified as libprocess
// verifies it, before anything is sent.
import { isIP, Socket } from 'node:net';
import type { PeerCertificate } from 'node:tls';
import { contextOf, type TlsSettings, tlsModule } from './tls-settings.ts';

export interface Peer {
  readonly host: string;
  readonly port: number;
}

/** Loaded by those who need it. */
const dns = () => process.getBuiltinModule('node:dns/promises');

/** Whether a certificate is one of this peer. */
export function isOf(cert: PeerCertificate, names: readonly string[]): boolean {
  return names.some((name) => tlsModule().checkServerIdentity(name, cert) === undefined);
}

/** The first name that an address has, as the system tells it. */
export async function nameOf(address: string, port: number): Promise<string | undefined> {
  const found = await dns()
    .lookupService(address, port)
    .catch(() => undefined);
  return found === undefined || found.hostname === address ? undefined : found.hostname;
}

/** The names and addresses for which a peer's certificate may be. */
async function namesOf({ host, port }: Peer, tls: TlsSettings): Promise<readonly string[]> {
  const isAddress = isIP(host) !== 0;
  if (tls.hostnames === 'openssl') {
    if (!isAddress) return [host];
    return tls.verifiesAddress ? [host] : [];
  }
  const address = isAddress ? host : (await dns().lookup(host)).address;
  const name = await nameOf(address, port);
  return [...(name === undefined ? [] : [name]), ...(tls.verifiesAddress ? [address] : [])];
}

/** A socket that connects; what is written to it before is sent when the peer is known. */
export function connectTo(peer: Peer, tls: TlsSettings | undefined): Socket {
  const raw = new Socket();
  raw.setNoDelay(true);
  raw.setKeepAlive(true);
  if (tls === undefined) return raw.connect(peer);
  let names: readonly string[] = [];
  const socket = tlsModule().connect({
    ...contextOf(tls),
    socket: raw,
    rejectUnauthorized: tls.verifiesServer,
    // Always called when the chain of the certificate is good.
    checkServerIdentity: (_host, cert) =>
      !tls.verifiesServer || isOf(cert, names)
        ? undefined
        : new Error(`The certificate of ${peer.host}:${peer.port} is not for it`),
    ...(isIP(peer.host) === 0 ? { servername: peer.host } : {}),
  });
  const begin = async (): Promise<void> => {
    if (tls.verifiesServer) names = await namesOf(peer, tls);
    raw.connect(peer);
  };
  begin().catch((error: unknown) => socket.destroy(error as Error));
  raw.on('error', (error) => socket.destroy(error));
  // A connection that breaks in the handshake is told twice as an error: whoever waits for the first one is not to
  // end by the second. That it is over is told by `close`, too.
  socket.on('error', () => {});
  return socket;
}
