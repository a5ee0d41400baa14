// Records what a real Mesos 1.11 agent, registered with a master of ours, answers to the scripts of
// test/support/mesos-differential/agent-corpus.ts, for test/conformance/mesos-agent-differential.test.ts.
// `node tools/record-mesos-agent-answers.ts [SCENE...]` (STRATA_REAL_MESOS: where the real one is)
import { agentScenes } from '#test/support/mesos-differential/agent-corpus.ts';
import { startAgent } from '#test/support/mesos-differential/agents.ts';
import { playScene, writeRecording } from '#test/support/mesos-differential/record.ts';

const only = process.argv.slice(2);
for (const scene of agentScenes) {
  if (only.length > 0 && !only.includes(scene.name)) continue;
  const entries = await playScene(scene, await startAgent('real', scene.settings));
  writeRecording(scene, entries);
  process.stdout.write(`${scene.name}: ${entries.length} answers\n`);
}
