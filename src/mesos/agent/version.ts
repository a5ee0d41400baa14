// The version the agent claims towards clients: the Mesos release whose interfaces it serves.
import { buildTime } from '#mesos/libprocess/build-time.ts';

export const VERSION_INFO = {
  version: '1.11.0',
  build_user: 'strata',
  git_sha: 'strata',
  git_tag: '1.11.0',
  ...buildTime,
} as const;
