import { z } from 'zod'
import type { CamelKeys } from '../camel-keys.js'
import { integer, number } from '../fields.js'

export const anomalySchema = z.strictObject({
  /** A sample is anomalous when its score, in scales away from what was expected, is above this. */
  threshold: number(1, 1e6).default(6),
  /** Weight of the newest sample in the running mean and scale: 0.01 remembers some 100 samples. */
  smoothing: number(1e-6, 0.5).default(0.01),
  /** Samples of a series before any is judged. */
  warm_up_samples: integer(100, 1_000_000).default(100),
  /** The scale is never taken smaller than this share of the running mean: resolution of the sensor. */
  relative_scale_floor: number(0, 1).default(0.001),
  /** The scale is never taken smaller than this, in the unit of the series. */
  scale_floor: number(1e-300, 1e300).default(1e-9),
  /** While a series stays anomalous, one finding in so many samples; also the long-run bound on findings of a series. */
  repeat_samples: integer(1, 1_000_000_000).default(100),
  /** Findings that may come closer together than `repeat_samples` before the bound bites. */
  burst: integer(1, 1000).default(10),
})

/** Options of `telemetry.anomaly_detect`. */
export type AnomalyOptions = CamelKeys<z.output<typeof anomalySchema>>
