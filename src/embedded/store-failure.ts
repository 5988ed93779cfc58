import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import type { AppendOutcome } from '#core/transport/batch-stream'

const FULL = ['ENOSPC', 'EDQUOT', 'EFBIG']
const NEEDS_OPERATOR = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'ENOENT', 'ELOOP', 'ENAMETOOLONG', 'ENOTSUP']

export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
}

/** What a failed file operation means to an append that is known not to have happened. */
export function refusalOf(error: unknown, directory: string): AppendOutcome {
  const { code = '' } = error as NodeJS.ErrnoException
  if (FULL.includes(code)) {
    return { kind: 'refused', reason: 'full', message: `The disk of ${directory} is full (${code}). Fix: free space.` }
  }
  if (NEEDS_OPERATOR.includes(code))
    return { kind: 'refused', reason: 'misconfigured', message: unusable(error, directory) }
  return { kind: 'unavailable', message: `The store in ${directory} cannot be written: ${messageOf(error)}` }
}

/** The error to open or read the store with. */
export function storeError(error: unknown, directory: string): TelemetryError {
  if (error instanceof TelemetryError) return error
  const { code = '' } = error as NodeJS.ErrnoException
  return NEEDS_OPERATOR.includes(code)
    ? new TelemetryError('TLM_STREAM_MISCONFIGURED', unusable(error, directory), { directory }, error)
    : new TelemetryError(
        'TLM_STREAM_UNAVAILABLE',
        `The store in ${directory}: ${messageOf(error)}`,
        { directory },
        error,
      )
}

function unusable(error: unknown, directory: string): string {
  return `The store directory ${directory} cannot be used: ${messageOf(error)}. Fix: name a local directory that this program may write to.`
}
