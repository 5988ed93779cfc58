import type { Priority } from './priority.js'

/** A task of the seed's shape after liberal reading; see `codec/task-json`. */
export interface TelemetryTask {
  /** UUID of the task; generated when absent. */
  id: string
  /** `telemetry.*` or a user's handler type. */
  type: string
  priority: Priority
  /** Non-negative integer, default 3. */
  maxRetries: number
  device: string
  takenAtUs: number
  /** Number of the reading within its device, 0 when the task does not say. */
  sequence: number
  /** One entry per numeric channel of the payload; at least one. */
  channels: readonly { channel: string; unit: string; value: number }[]
  raw?: Uint8Array | undefined
}
