// Every place where this master answers otherwise than Mesos 1.11, with the reason. The test fails
// for a difference that is not here, and for an entry here that no difference needs any more.
// docs/operating/compatibility.md lists them, too.
import type { KnownDifference } from './compare.ts';

const twiceEnded =
  'A task whose end is not acknowledged yet gets no second end when its framework or agent goes';
const goneTasks =
  'Tasks of an agent that is gone are completed for every framework; Mesos keeps those of frameworks without PARTITION_AWARE among the unreachable ones';

const noCheckpoint = 'v1 has no such field; Mesos writes its internal (v0) message in JSON answers';

export const knownDifferences: readonly KnownDifference[] = [
  {
    scene: '*',
    step: /./,
    path: /capabilities\.2\.type$/,
    reason: 'The v1 protocol of 1.11 has no name for QUOTA_V2 and shows an empty capability',
  },
  {
    scene: '*',
    step: /^GET_(STATE|AGENTS) .*\(JSON\)$/,
    path: /agent_info\.checkpoint$/,
    reason: noCheckpoint,
  },
  {
    scene: '*',
    step: /in JSON: what is there|: what is left/,
    path: /subscribed\.get_state\.get_agents\.agents\.\d+\.agent_info\.checkpoint$/,
    reason: noCheckpoint,
  },
  {
    scene: '*',
    step: /^agents are told of$/,
    reason:
      'News of a framework go to the agents that run something of it; Mesos tells them to all',
  },
  {
    scene: 'event-views',
    step: /^bob in /,
    path: /agent_added\.agent\.agent_info\.resources$/,
    reason:
      'Resources of roles that a subscriber may not see are left out of the AgentInfo of AGENT_ADDED, too; Mesos leaves them out of the total only',
  },
  {
    scene: 'authentication',
    step: /^\/files\//,
    reason:
      'Files are behind --authenticate_http_readonly, as in mesos-master; the peer is put together without it',
  },
  {
    scene: 'authentication',
    step: /^GET \/metrics\/snapshot/,
    path: /messages_register_(framework|slave)$/,
    reason: 'A registration that waits until its sender is known is counted once, in Mesos twice',
  },
  {
    scene: 'endpoints',
    step: /^GET \/\/master\//,
    reason: 'Two slashes are one, before `/master` too; Mesos answers 404 there only',
  },
  {
    scene: 'operator-calls',
    step: /"offset":-1/,
    reason: 'A negative number is refused; Mesos takes it as 2^64 less one',
  },
  {
    scene: 'scheduler-calls',
    step: /constraints with a great expression/,
    reason: 'How large a program RE2 makes of an expression is not known; the limit is the same',
  },
  {
    scene: 'cluster',
    step: /after a teardown|after an agent left/,
    path: /tasks\.\d+\.statuses$/,
    reason: twiceEnded,
  },
  {
    scene: 'agents',
    step: /in a new life|of another cluster/,
    path: /tasks\.\d+\.statuses$/,
    reason: twiceEnded,
  },
  {
    scene: 'agents',
    step: /in a new life|of another cluster/,
    path: /events\/update$/,
    reason: twiceEnded,
  },
  {
    scene: '*',
    step: /^GET_(STATE|TASKS) .*\(protobuf\)$/,
    path: /get_tasks\.completed_tasks$/,
    reason: 'Mesos leaves completed tasks of completed frameworks out of the protobuf answer only',
  },
  {
    scene: 'maintenance',
    step: /a schedule of nothing while a is down/,
    reason: 'Which of two machines is named first is the order of a hash table in Mesos',
  },
  {
    scene: 'draining',
    step: /registry when drained$/,
    path: /max_grace_period$/,
    reason: 'DRAIN_AGENT again replaces what is kept, too; Mesos keeps the first in its registry',
  },
  { scene: 'draining', step: /./, path: /tasks$/, reason: goneTasks },
  {
    scene: 'draining',
    step: /with an agent gone/,
    path: /resources\.ports$/,
    reason:
      'Mesos takes the ports of an offer that ends away from those that other agents offer, too',
  },
  {
    scene: 'agents',
    step: /back from unreachable|in a new life|of another cluster/,
    path: /tasks\/active\/task_unreachable$|tasks\/terminal\/task_finished$/,
    reason: 'Mesos never counts down a task that is unreachable no more',
  },
  {
    scene: 'cluster',
    step: /^one: ShutdownFrameworkMessage$/,
    path: /framework_id\.value$/,
    reason:
      'An agent that tells of a framework that is not known is told to end it; Mesos lets it tell so for ever',
  },
];
