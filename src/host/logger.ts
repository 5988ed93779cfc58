import { destination, type Logger, pino } from 'pino'

export type { Logger } from 'pino'

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface LoggerOptions {
  /** Program name in every line: `hub` or `processor`. */
  name: string
  level: LogLevel
  /** Appended to; standard output when absent. */
  file?: string
}

/** JSON lines with ISO time. Secrets are censored by key wherever they appear in a logged object's first two levels. */
export function createLogger({ name, level, file }: LoggerOptions): Logger {
  const secrets = ['password', 'token', 'authorization', '*.password', '*.token', '*.authorization']
  return pino(
    {
      name,
      level,
      base: { name, pid: process.pid },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secrets, censor: '(hidden)' },
    },
    file === undefined ? destination(1) : destination({ dest: file, mkdir: true, append: true }),
  )
}
