// Tests that have the machine to themselves while they run, each with the reason. All others of `test/conformance` run
// two at a time: their ports, folders, cgroups, namespaces and daemons are of their own.

export const alone: Readonly<Record<string, string>> = {
  'kube-client-go.test.ts':
    'its candidates lead for a second or two: who gets no processor loses its turn',
  'kube-flow-control.test.ts': 'compares how long requests wait',
  'kube-kubelet.test.ts': 'a real kubelet looks after the whole machine',
  'mesos-agent-docker.test.ts': 'a bridge, rules of the packet filter and a port of the machine',
  'mesos-agent-image-confinement.test.ts': 'a bridge of the machine',
  'mesos-agent-net-classes.test.ts':
    'a hierarchy of cgroups more: a containerd that runs meanwhile finds no groups of its containers',
  'mesos-agent-networks.test.ts': 'a bridge, rules of the packet filter and a port of the machine',
  'mesos-agent-perf.test.ts':
    'a hierarchy of cgroups more: a containerd that runs meanwhile finds no groups of its containers',
  'mesos-agent-v0-executors.test.ts': 'a real agent waits two seconds for its executors',
  'mesos-election.test.ts': 'the next leader has two seconds',
  'mesos-zookeeper-peers.test.ts':
    'masters that get no processor for the length of a session lose their turn',
  'store-histories.test.ts':
    'members of an etcd, cut off by the packet filter, elect within half a second',
};

/** What none may have in it that runs beside another one. */
export const forbiddenBesides: readonly (readonly [RegExp, string])[] = [
  [/performance\.now\(/, 'measures time'],
  [/\biptables|\bip link\b|findCniPlugins|namespacesMissing/, 'changes the network of the machine'],
  [/\bsysctl -w|writeFileSync\('\/(?:proc|sys)\//, 'changes the kernel'],
  [/support\/controller\.ts/, 'mounts a hierarchy of cgroups'],
  [/listen\([1-9]\d+/, 'listens on a port that is not its own'],
];
