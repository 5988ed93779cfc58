import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import type { Service } from '#core/lifecycle/service'
import type { Logger } from './logger.js'
import { ParentChannel } from './parent-channel.js'

/** How long a program may take to end after SIGINT or SIGTERM. */
const STOP_DEADLINE_MS = 4_000

/** A service that can be a whole program. */
export interface Program<Figures> extends Service {
  /** Where its REST API answers; known once started. */
  readonly url: string
  figures(): Figures
}

/**
 * Runs a service until SIGINT, SIGTERM or a failure; a second signal ends the program at once.
 *
 * Sets the exit code: 0 after an orderly end, else that of the error's code.
 */
export async function runProgram<Figures>(service: Program<Figures>, log: Logger): Promise<void> {
  let stopping = false
  const parent = new ParentChannel(() => service.figures())
  const stop = async (reason: string) => {
    if (stopping) process.exit(130)
    stopping = true
    log.info({ reason }, 'stopping')
    // Unreferenced: it must not itself keep the program alive.
    const overdue = setTimeout(() => {
      log.error({ deadlineMs: STOP_DEADLINE_MS }, 'did not stop in time')
      process.exit(1)
    }, STOP_DEADLINE_MS + 500).unref()
    try {
      await service.stop(STOP_DEADLINE_MS)
    } catch (error) {
      log.error({ err: error }, 'stop failed')
      process.exitCode = 1
    }
    await parent.close()
    clearTimeout(overdue)
    log.flush()
    process.exit()
  }
  process.on('SIGINT', () => void stop('SIGINT'))
  process.on('SIGTERM', () => void stop('SIGTERM'))
  try {
    await service.start()
    parent.open(service.url, () => void stop('parent ended'))
  } catch (error) {
    reportFatal(error)
    log.fatal({ code: error instanceof TelemetryError ? error.code : undefined }, messageOf(error))
    process.exitCode = exitCodeOf(error)
    await stop('start failed')
  }
}

/** One or a few lines for a person, on standard error; the stack only for what is no known condition. */
export function reportFatal(error: unknown): void {
  const text =
    error instanceof TelemetryError
      ? `${error.code}: ${error.message}\n  ${error.entry.action}`
      : error instanceof Error
        ? (error.stack ?? error.message)
        : String(error)
  process.stderr.write(`${text}\n`)
}

export function exitCodeOf(error: unknown): number {
  return error instanceof TelemetryError ? error.entry.exit : 70
}
