import type { PressureLevel } from '#core/policy/pressure'

/** What a processor says of itself at one moment: the one source of REST bodies, metrics and the terminal's lines. */
export interface ProcessorFigures {
  ledger: ProcessorLedger
  findings: { written: number; byHandler: Readonly<Record<string, number>> }
  /** Reading to finding written, of the last minute. */
  latencyP50Ms: number
  latencyP99Ms: number
  uptimeSeconds: number
  /** Shards this process owns. */
  shardsOwned: number
  /** In the store, over all shards: entries and samples that nobody has settled. */
  backlog: { entries: number; samples: number; deadLetters: number; delayed: number }
  isStoreUp: boolean
  /** What hubs are told of the backlog. */
  pressure: PressureLevel
  isSinkUp: boolean
}

/** In samples; `leased = settled + inFlight + deadLettered + retried + released` at every moment. */
export interface ProcessorLedger {
  /** Taken from the store, counting each redelivery. */
  leased: number
  /** Findings written and entry acknowledged. */
  settled: number
  inFlight: number
  deadLettered: number
  /** Given back for a later try. */
  retried: number
  /** Left for the next owner: on shutdown, or because ownership was lost. */
  released: number
  /** Of the settled ones, those that a handler refused, by reason (`late`, `quality_stuck`); they stay settled. */
  rejectedBy: Readonly<Record<string, number>>
}

/** 0 when every leased sample is accounted for. */
export function imbalanceOf(ledger: ProcessorLedger): number {
  return ledger.leased - ledger.settled - ledger.inFlight - ledger.deadLettered - ledger.retried - ledger.released
}
