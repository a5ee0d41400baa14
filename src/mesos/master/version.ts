// The version that the master claims towards clients: the Mesos release whose interfaces it serves.
import { buildTime } from '#mesos/libprocess/build-time.ts';

export const buildInfo = {
  ...buildTime,
  build_user: 'strata',
  git_sha: 'strata',
  git_tag: '1.11.0',
} as const;
