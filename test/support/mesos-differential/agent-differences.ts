// Every place where this agent answers otherwise than one of Mesos 1.11, with the reason. The test fails for a
// difference that is not here, and for an entry here that no difference needs any more.
// docs/operating/compatibility.md lists them, too.
import type { KnownDifference } from './compare.ts';

export const agentDifferences: readonly KnownDifference[] = [
  {
    scene: '*',
    step: /./,
    path: /master_hostname$/,
    reason:
      'An agent that is told its master by address shows that address; Mesos asks the system for its name',
  },
  {
    scene: '*',
    step: /./,
    path: /flags$/,
    reason:
      "Flags that hold nothing here are not shown; the real agent is the peer's, without the flags of mesos-agent's own program and of isolators that it was built without",
  },
  {
    scene: 'agent-calls',
    step: /^{"type":"GET_AGENT"} \(protobuf\)/,
    path: /agent_info\.checkpoint$/,
    reason: 'Mesos passes the field of its internal message on, which v1 does not have',
  },
  {
    scene: 'agent-calls',
    step: /recordio.* x/s,
    path: /^(status|body)$/,
    reason: 'What is no record is a bad request (400), in other words; Mesos answers 500',
  },
  {
    scene: 'agent-tasks',
    step: /./,
    path: /statuses\.\d+\.timestamp$/,
    reason: 'An update without a time gets that of its coming, and is shown with it',
  },
  {
    scene: 'agent-tasks',
    step: /GET_(TASKS|STATE) /,
    path: /statuses\.\d+\.executor_id$/,
    reason: 'Statuses say which executor they are of, whether it has said so or not',
  },
  {
    scene: 'agent-tasks',
    step: /GET_(TASKS|STATE) /,
    path: /statuses\.\d+\.data$/,
    reason:
      'The data of an update is kept until it is acknowledged, not in what is shown of the task',
  },
  {
    scene: 'agent-tasks',
    step: /^executor: ACKNOWLEDGED$/,
    path: /^body$/,
    reason:
      'An update of a task that the agent does not know is passed on and acknowledged; Mesos passes it on and never acknowledges it to executors of the v1 API',
  },
  {
    scene: 'agent-authentication',
    step: /^GET \/(files|metrics|logging)\//,
    reason:
      'What belongs to the whole program (files, metrics, log) is behind the realms of an agent, as in mesos-agent; the program of the peer has those of a master, or none',
  },
];
