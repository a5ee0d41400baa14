// The version the agent claims towards clients: the Mesos release whose interfaces it serves.
export const VERSION_INFO = {
  version: '1.11.0',
  build_user: 'strata',
  build_time: 0,
  build_date: '1970-01-01 00:00:00',
} as const;
