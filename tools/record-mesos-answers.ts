// Records what a real Mesos 1.11 master answers to the scripts of test/support/mesos-differential,
// for test/conformance/mesos-differential.test.ts.
// `node tools/record-mesos-answers.ts [FOLDER_OF_REAL_MESOS [SCENE...]]`
import { scenes } from '#test/support/mesos-differential/corpus.ts';
import { startRealMaster } from '#test/support/mesos-differential/masters.ts';
import { playScene, writeRecording } from '#test/support/mesos-differential/record.ts';

const [folder = '/tmp/real-mesos', ...only] = process.argv.slice(2);
for (const scene of scenes) {
  if (only.length > 0 && !only.includes(scene.name)) continue;
  const master = await startRealMaster(folder, scene.settings ?? {});
  const entries = await playScene(scene, master);
  writeRecording(scene, entries);
  process.stdout.write(`${scene.name}: ${entries.length} answers\n`);
}
