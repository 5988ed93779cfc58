import { TelemetryError } from '#core/errors/telemetry-error'
import { PRIORITY, parsePriority } from '#core/model/priority'
import { formatProblem } from '#core/options/config-source'
import { readHandlerOptions } from '#core/options/handlers/read-handler-options'
import type { HandlerSpec } from '#core/protocol/handler-messages'
import type { HandlerConfig } from './processor-options.js'

/**
 * Checks every handler's options and puts the handlers in order: those of high priority see a batch first, equal ones in
 * the order of the configuration.
 *
 * @throws TLM_OPTIONS_INVALID with every problem on a line of its own
 */
export function readHandlerSpecs(handlers: readonly HandlerConfig[]): HandlerSpec[] {
  const problems: string[] = []
  const specs = handlers
    .toSorted((a, b) => rankOf(a) - rankOf(b))
    .map(({ type, options, moduleUrl }): HandlerSpec => {
      const result = readHandlerOptions(type, options, moduleUrl)
      problems.push(...(result.problems ?? []).map(formatProblem))
      return { type, options: result.options ?? {}, ...(moduleUrl !== undefined && { moduleUrl }) }
    })
  const twice = specs.find(({ type }, index) => specs.findIndex((other) => other.type === type) !== index)
  if (twice) problems.push(`handlers: ${twice.type} is there twice. Fix: keep one of the two`)
  if (problems.length > 0) throw new TelemetryError('TLM_OPTIONS_INVALID', problems.join('\n'))
  return specs
}

function rankOf({ priority }: HandlerConfig): number {
  return parsePriority(priority) ?? PRIORITY.normal
}
