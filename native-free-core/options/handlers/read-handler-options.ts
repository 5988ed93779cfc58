import { z } from 'zod'
import { type BuiltInHandlerType, HANDLER_TYPES } from '../../model/finding.js'
import { camelKeys } from '../camel-keys.js'
import type { ConfigProblem, ConfigTree } from '../config-source.js'
import { didYouMean } from '../did-you-mean.js'
import { readOptions } from '../read-options.js'
import { aggregateSchema } from './aggregate-options.js'
import { alertSchema } from './alert-options.js'
import { analyzeSchema } from './analyze-options.js'
import { anomalySchema } from './anomaly-options.js'

const SCHEMAS: Readonly<Record<BuiltInHandlerType, z.ZodType<object>>> = {
  'telemetry.analyze': analyzeSchema,
  'telemetry.anomaly_detect': anomalySchema,
  'telemetry.aggregate': aggregateSchema,
  'telemetry.alert': alertSchema,
  'telemetry.store': z.strictObject({}),
}

export type HandlerOptionsResult =
  | { options: Readonly<Record<string, unknown>>; problems?: undefined }
  | { options?: undefined; problems: readonly ConfigProblem[] }

/**
 * Checks the options of one entry of `handlers:` and fills in the defaults. Those of a user's handler are taken as they
 * are: its module checks them.
 *
 * Thread: main, at start; handler threads get the result.
 *
 * @param raw keys in snake_case, without `type`, `priority` and `module`
 * @param moduleUrl of a user's handler; absent for the built-in ones
 */
export function readHandlerOptions(
  type: string,
  raw: Readonly<Record<string, unknown>>,
  moduleUrl?: string,
): HandlerOptionsResult {
  const origin = `handler ${type}`
  if (isBuiltIn(type)) {
    if (moduleUrl !== undefined) {
      const fix = 'give it a type of its own, such as my.type'
      return failed(origin, 'module', "a built-in handler cannot be replaced by a user's module", fix)
    }
    const source = {
      values: { ...raw } as ConfigTree,
      originOf: () => origin,
      problems: [],
      unknownKeys: 'fail' as const,
    }
    const { options, problems } = readOptions(SCHEMAS[type], [source])
    return options === undefined ? { problems } : { options: camelKeys(options) as Record<string, unknown> }
  }
  if (moduleUrl !== undefined) return { options: raw }
  const near = didYouMean(type, HANDLER_TYPES)
  const fix = near
    ? `did you mean ${near}? A user's handler needs module`
    : 'name its file with module, or take a built-in type'
  return failed(origin, 'type', `no built-in handler has the type ${type}`, fix)
}

function isBuiltIn(type: string): type is BuiltInHandlerType {
  return (HANDLER_TYPES as readonly string[]).includes(type)
}

function failed(origin: string, key: string, reason: string, fix: string): HandlerOptionsResult {
  return { problems: [{ severity: 'error', origin, key, reason, fix }] }
}
