// The command of the node executor as the substrate starts it: a shell that keeps the real process
// alive, so that the agent sees one executor while that process may crash and come back. Its pods
// are not its children and do not notice.

/** An exit status that means "do not start me again": ended in order, or not fit to run at all. */
export const finalExitCodes = { ended: 0, unusable: 64 } as const;

/**
 * "$@" is the command. SIGTERM goes on to the process, which then ends its pods. `wait` returns
 * early on a signal, hence the inner loop.
 */
const loopScript = `trap 'kill -TERM "$p" 2>/dev/null' TERM INT
export STRATA_NODE_LOOP=$$
while :; do
"$@" &
p=$!
c=129
while [ $c -gt 128 ] && kill -0 $p 2>/dev/null; do wait $p; c=$?; done
[ $c -gt 128 ] && { wait $p 2>/dev/null; c=$?; }
[ $c -eq 0 ] || [ $c -eq 64 ] && exit $c
sleep 0.2
done`;

/** For ExecutorInfo.command; it names the instance and never a version, so it never changes. */
export function nodeExecutorCommand(program: readonly string[], instance: string): string[] {
  const command = [...program, 'kube', 'node', '--instance', instance];
  return ['/bin/sh', '-c', loopScript, 'strata-node', ...command];
}
