// The version that the master claims towards clients: the Mesos release whose interfaces it serves.
export const buildInfo = {
  build_date: '1970-01-01 00:00:00',
  build_time: 0,
  build_user: 'strata',
  git_sha: 'strata',
  git_tag: '1.11.0',
} as const;
