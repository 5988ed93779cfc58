import { messageOf, TelemetryError } from '#core/errors/telemetry-error'

/** SQLite's primary result codes (https://sqlite.org/rescode.html) with what happened and how to mend it. */
const EXPLANATIONS: Readonly<Record<number, string>> = {
  5: 'is locked by another program for too long. Stop the program that holds a transaction on it open',
  8: 'cannot be written. Give this user write permission on the file and its directory, or set sqlite.path',
  10: 'gives read or write errors. Check the disk and the system log',
  11: 'is damaged. Move it and its -wal and -shm files aside: a new one is begun, and what was not settled comes again',
  13: 'does not fit: the disk is full. Free some space; writing goes on by itself',
  14: 'cannot be opened. Check that its directory exists and may be entered and written',
  26: 'is no SQLite database. Move the file aside, or set sqlite.path to another',
}

/** Tells an operator what is wrong with the findings database. */
export function sqliteFailure(path: string, error: unknown): TelemetryError {
  if (error instanceof TelemetryError) return error
  const code = resultCode(error)
  const explanation = code === undefined ? undefined : EXPLANATIONS[code]
  const message = explanation === undefined ? `failed: ${messageOf(error)}` : `${explanation}.`
  return new TelemetryError('TLM_SINK_FAILED', `The findings database ${path} ${message}`, { path, code }, error)
}

/** Extended codes carry the primary one in their low byte; errors of opening say it only at the end of their text. */
function resultCode(error: unknown): number | undefined {
  const { rawCode } = error as { rawCode?: unknown }
  if (typeof rawCode === 'number') return rawCode & 0xff
  const written = /: (\d+)"?\)?$/.exec(messageOf(error))?.[1]
  return written === undefined ? undefined : Number(written) & 0xff
}
