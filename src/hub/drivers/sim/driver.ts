import { sourceDriver } from '../contract/source-driver.js'
import { createSimDriver } from './sim-driver.js'
import { SIM_DEFAULTS, SIM_FAULT_DEFAULTS } from './sim-options.js'

export const driver = sourceDriver({
  kind: 'source',
  manifest: {
    name: 'sim',
    summary: 'a device that exists only here: seeded, with a wave, noise and faults',
    source: 'none: the values are made up',
    buses: [],
  },
  options: ({ oneOf, integer, durationMs, number, group }) => ({
    profile: oneOf('original', 'temperature', 'humidity', 'pressure').optional(),
    seed: integer(0, 2 ** 32 - 1).optional(),
    interval_ms: durationMs(0.0001, 3_600_000).optional(),
    samples_per_second: number(0.001, 10_000_000).optional(),
    channels: integer(1, 4096).optional(),
    readings: integer(1, Number.MAX_SAFE_INTEGER).optional(),
    faults: group({
      mode: oneOf('none', 'random-sensor-errors', 'communication-failure', 'both').optional(),
      error_probability: number(0, 1).optional(),
      max_consecutive_errors: integer(0, 1_000_000).optional(),
      after_readings: integer(0, Number.MAX_SAFE_INTEGER).optional(),
      spike_probability: number(0, 1).optional(),
      spike_size: number(-1e12, 1e12).optional(),
      stuck_probability: number(0, 1).optional(),
      stuck_readings: integer(1, 1_000_000).optional(),
      dropout_probability: number(0, 1).optional(),
      dropout_readings: integer(1, 1_000_000).optional(),
    }).optional(),
  }),
  create: (options, context) => {
    const faults = { ...SIM_FAULT_DEFAULTS, ...options.faults }
    return createSimDriver({ ...SIM_DEFAULTS, intervalMs: context.everyMs, ...options, faults }, context)
  },
})
