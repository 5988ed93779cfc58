/**
 * The only table of error codes. `retry` says what helps, `http` what REST answers, `exit` what a program that cannot
 * go on exits with (sysexits: 69 unavailable, 70 internal, 77 permission, 78 configuration).
 */
export const ERROR_CODES = {
  TLM_OPTIONS_INVALID: {
    retry: 'after-config-change',
    http: 422,
    exit: 78,
    action: 'Correct the options named in the message.',
  },
  TLM_PORT_IN_USE: {
    retry: 'after-config-change',
    http: 500,
    exit: 69,
    action: 'Stop the other program or choose another port.',
  },
  TLM_PACKAGE_MISSING: {
    retry: 'after-config-change',
    http: 503,
    exit: 69,
    action: 'Install the optional package named in the message.',
  },
  TLM_BUS_UNAVAILABLE: {
    retry: 'after-backoff',
    http: 503,
    exit: 69,
    action: 'Check the cable, the path and the permissions of the bus.',
  },
  TLM_READ_FAILED: {
    retry: 'after-backoff',
    http: 503,
    exit: 69,
    action: 'See the kind of fault in the message: it says what to check.',
  },
  TLM_STREAM_UNAVAILABLE: {
    retry: 'after-backoff',
    http: 503,
    exit: 69,
    action: 'Check that the store (Redis or the data directory) can be reached.',
  },
  TLM_STREAM_MISCONFIGURED: {
    retry: 'after-config-change',
    http: 503,
    exit: 78,
    action: 'Correct the Redis setting or credential named in the message.',
  },
  TLM_BATCH_UNREADABLE: {
    retry: 'never',
    http: 422,
    exit: 70,
    action: 'Inspect the dead letter; the producer may be of another version.',
  },
  TLM_TASK_INVALID: { retry: 'never', http: 422, exit: 70, action: 'Correct the task: the message names the field.' },
  TLM_HANDLER_FAILED: { retry: 'after-backoff', http: 500, exit: 70, action: 'See the handler error in the log.' },
  TLM_SINK_FAILED: {
    retry: 'after-backoff',
    http: 503,
    exit: 69,
    action: 'Check the disk space and permissions of the findings database.',
  },
  TLM_INVARIANT_BROKEN: {
    retry: 'never',
    http: 500,
    exit: 70,
    action: 'Report it with the log: the program found itself wrong.',
  },
} as const satisfies Record<string, ErrorCodeEntry>

export interface ErrorCodeEntry {
  retry: 'never' | 'after-backoff' | 'after-config-change'
  http: number
  exit: number
  action: string
}

export type ErrorCode = keyof typeof ERROR_CODES
