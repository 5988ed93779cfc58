import { z } from 'zod'
import { durationMs, text } from '#core/options/fields'

export const timeSchema = z
  .strictObject({
    hold_until_synced: durationMs(0, 3_600_000).default(0),
    step: durationMs(10, 60_000).default(250),
    synced_file: text(4096).optional(),
  })
  .prefault({})

export interface TimeOptions {
  /** Nothing is sealed before the clock is synchronised, for so long at most; 0: it is not waited for. */
  holdMs: number
  stepMs: number
  /** There as soon as the clock is synchronised; absent: the host is asked. */
  syncedFile: string | undefined
}

export function timeOptions({ hold_until_synced, step, synced_file }: z.output<typeof timeSchema>): TimeOptions {
  return { holdMs: hold_until_synced, stepMs: step, syncedFile: synced_file }
}
