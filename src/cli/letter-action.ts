import { TelemetryError } from '#core/errors/telemetry-error'
import type { DeadLetterBox, DeadLetterFilter } from '#core/transport/dead-letters'
import type { ProcessorSettings } from '../processor/config/processor-options.js'
import type { CommandContext } from './command-context.js'
import type { CommandLine } from './command-line.js'

/** What an action works with. */
export interface LetterAction extends CommandContext {
  box: DeadLetterBox
  filter: DeadLetterFilter
  /** Ids behind the action's name. */
  ids: readonly string[]
  values: CommandLine['values']
  isJson: boolean
  maxReplays: number
  settings: ProcessorSettings
}

/** A flag's value as a number in a range; `undefined` when it is not given. @throws TLM_OPTIONS_INVALID */
export function numberOf(
  values: CommandLine['values'],
  name: string,
  min: number,
  max: number,
  isWhole = true,
): number | undefined {
  const raw = values[name]
  if (raw === undefined) return undefined
  const value = Number(raw)
  if (raw !== '' && value >= min && value <= max && (!isWhole || Number.isInteger(value))) return value
  const what = isWhole ? 'a whole number' : 'a number'
  throw new TelemetryError(
    'TLM_OPTIONS_INVALID',
    `--${name}: expected ${what} from ${min} to ${max}, got ${String(raw)}.`,
  )
}

/** Whether any field of the filter is given. */
export function isFiltering(filter: DeadLetterFilter): boolean {
  return Object.values(filter).some((value) => value !== undefined)
}
