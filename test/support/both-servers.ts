// The same steps before a server of ours and a kube-apiserver, each a new one.
import type { Target } from './kube-sender.ts';
import { startRealServer } from './real-apiserver.ts';
import { realProgram, skipWithout } from './real-kubernetes.ts';
import { startOwnServer } from './step-target.ts';

/** A test's `skip`. */
export const skipWithoutReal = skipWithout(['etcd', 'kube-apiserver']);

export async function playOnBoth<T>(
  play: (target: Target) => Promise<T>,
): Promise<{ readonly own: T; readonly real: T }> {
  const own = await startOwnServer();
  try {
    const real = await startRealServer(realProgram('.'), {});
    try {
      return { own: await play(own.target), real: await play(real.target) };
    } finally {
      await real.close();
    }
  } finally {
    await own.close();
  }
}
