import type { BreakerState } from '#core/policy/circuit-breaker'
import type { CloseReason } from '#core/policy/flush-policy'
import type { PressureLevel } from '#core/policy/pressure'
import type { SpillState } from '#core/policy/spill-valve'
import type { SpoolFigures } from './spool/spool-watch.js'
import type { ClockFigures } from './time/hub-clock.js'

/** What the hub says of itself at one moment: the one source of REST bodies, metrics and the terminal's lines. */
export interface HubFigures {
  ledger: HubLedger
  /** The newest accepted sample. */
  latest: { device: string; channel: string; sequence: number; value: number; unit: string } | undefined
  /** Samples in the rings. */
  queueDepth: number
  /** Reading to stored, of the last minute. */
  latencyP50Ms: number
  latencyP99Ms: number
  uptimeSeconds: number
  batches: {
    stored: number
    duplicate: number
    retried: number
    inFlight: number
    bytes: number
    /** By what closed them. */
    closedBy: Readonly<Record<CloseReason, number>>
    meanLatencyMs: number
  }
  /** Drain workers. */
  workers: number
  workerRestarts: number
  isStoreUp: boolean
  /** What the processors last said of their backlog. */
  pressure: PressureLevel
  /** Drain workers by what they do about it; all 0 without a spool. */
  spill: Readonly<Record<SpillState, number>>
  /** The gravest of the drain workers' circuit breakers. */
  breaker: BreakerState
  /** `undefined`: there is none, or it cannot be used. */
  spool: SpoolFigures | undefined
  clock: ClockFigures
  /** What an operator should know, in words; `undefined` when all is well. */
  problem: string | undefined
  /** Input that gave no sample, by device and reason. */
  rejected: readonly { device: string; reason: string; count: number }[]
}

/**
 * In samples; `accepted + recovered = delivered + spooled + inFlight + dropped` at every moment, see
 * {@link imbalanceOf}.
 */
export interface HubLedger {
  /** Taken from drivers, whether or not the ring had room. */
  accepted: number
  /** Found in the spool, left by an earlier run. */
  recovered: number
  delivered: number
  /** On this machine's disk, to be delivered. */
  spooled: number
  inFlight: number
  dropped: number
  droppedBy: Readonly<Record<string, number>>
}

/** 0 when every accepted sample is accounted for. */
export function imbalanceOf({ accepted, recovered, delivered, spooled, inFlight, dropped }: HubLedger): number {
  return accepted + recovered - delivered - spooled - inFlight - dropped
}
