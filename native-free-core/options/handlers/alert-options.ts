import { z } from 'zod'
import type { CamelKeys } from '../camel-keys.js'
import { durationMs, number, oneOf, text } from '../fields.js'

const WEEK_MS = 7 * 86_400_000

/** Rules one processor may have. */
export const MAX_ALERT_RULES = 64

const ruleSchema = z
  .strictObject({
    name: text(64),
    channel: text(64),
    /** Only this device; absent: every device with that channel. */
    device: text(128).optional(),
    /** The condition holds while the value is greater than this. Exactly one of `above` and `below`. */
    above: number(-1e308, 1e308).optional(),
    below: number(-1e308, 1e308).optional(),
    /** Once it holds, the condition holds until the value comes back to this; absent: the threshold itself. */
    reset: number(-1e308, 1e308).optional(),
    /** How long the condition must hold before the alert fires. */
    for_ms: durationMs(0, WEEK_MS).default(0),
    /** How long it fires on after the condition has ended. */
    keep_firing_ms: durationMs(0, WEEK_MS).default(0),
    severity: oneOf('info', 'warning', 'critical').default('warning'),
  })
  .superRefine(({ above, below, reset }, context) => {
    const problem = findThresholdProblem(above, below, reset)
    if (problem !== undefined) context.addIssue({ code: 'custom', path: [], message: problem })
  })

/** The thresholds of the original system; they hold when no rules are given. */
const DEFAULT_RULES: z.input<typeof ruleSchema>[] = [
  { name: 'temperature_high', channel: 'temperature', above: 80 },
  { name: 'temperature_low', channel: 'temperature', below: -20 },
  { name: 'humidity_high', channel: 'humidity', above: 95 },
  { name: 'voltage_low', channel: 'voltage', below: 2.8 },
  { name: 'current_high', channel: 'current', above: 2 },
]

export const alertSchema = z
  .strictObject({ rules: z.array(ruleSchema).prefault(DEFAULT_RULES) })
  .superRefine(({ rules }, context) => {
    const problem = findRulesProblem(rules.map(({ name }) => name))
    if (problem !== undefined) context.addIssue({ code: 'custom', path: ['rules'], message: problem })
  })

/** Options of `telemetry.alert`. */
export type AlertOptions = CamelKeys<z.output<typeof alertSchema>>
export type AlertRule = AlertOptions['rules'][number]

function findThresholdProblem(above?: number, below?: number, reset?: number): string | undefined {
  if ((above === undefined) === (below === undefined)) return 'expected exactly one of above and below'
  if (reset === undefined) return undefined
  if (above !== undefined && reset > above) return 'expected reset at or below the threshold of above'
  if (below !== undefined && reset < below) return 'expected reset at or above the threshold of below'
  return undefined
}

function findRulesProblem(names: readonly string[]): string | undefined {
  if (names.length > MAX_ALERT_RULES) return `expected at most ${MAX_ALERT_RULES} rules`
  const repeated = names.find((name, index) => names.indexOf(name) !== index)
  return repeated === undefined ? undefined : `expected each rule name once, "${repeated}" is there twice`
}
