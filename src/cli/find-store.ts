import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { TelemetryError } from '#core/errors/telemetry-error'
import type { StreamLocator } from '#core/transport/batch-stream'
import { streamLocator } from '../host/stream-locator.js'
import { type ProcessorSettings, readProcessorOptions } from '../processor/config/processor-options.js'

export interface FoundStore {
  settings: ProcessorSettings
  locator: StreamLocator
}

/**
 * The store that a processor with these arguments would work on. Unlike a processor, a command makes none.
 *
 * @throws TLM_OPTIONS_INVALID
 */
export function findStore(
  programArgs: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): FoundStore {
  const command = readProcessorOptions(programArgs, env)
  if (command.kind === 'print')
    throw new TelemetryError('TLM_INVARIANT_BROKEN', 'A subcommand asked for the help text.')
  const { store, deadLetters } = command.options
  if (store.kind === 'embedded' && !existsSync(join(store.directory, 'stream'))) {
    const fix = 'Fix: name its directory with --data, or a Redis with --redis.'
    throw new TelemetryError('TLM_OPTIONS_INVALID', `There is no store in ${store.directory}. ${fix}`)
  }
  return { settings: command.options, locator: streamLocator(store, deadLetters) }
}
