import type { HubEnd, OfferRange } from './journal.js'

export interface NumberedSample {
  device: string
  number: number
}

/** One run of a handler over the samples of one device in one batch. */
export interface HandlerRun {
  pid: number
  batch: string
  device: string
  first: number
  last: number
}

/** What `telemetry.analyze` says of a device in the end. */
export interface Summary {
  count: number
  mean: number
}

/** All that is known at the end of a run, gathered outside of Redis or read back from where it ended up. */
export interface Evidence {
  offers: ReadonlyMap<string, readonly OfferRange[]>
  hubs: readonly HubEnd[]
  /** Pushed tasks that Redis had confirmed within two seconds before it was killed; see the append-only file's fsync. */
  atRisk: ReadonlySet<number>
  /** Numbers by device in the order in which they were stored, once for each stored batch that holds them. */
  stored: ReadonlyMap<string, readonly number[]>
  deadLetters: readonly (NumberedSample & { class: string })[]
  /** Stored samples that nobody offered, or with a value or an instant that is not theirs; in words. */
  aliens: readonly string[]
  /** By device; `undefined` when the state was wiped on purpose. */
  summaries: ReadonlyMap<string, Summary> | undefined
  /** In the order in which the handlers ran. */
  runs: readonly HandlerRun[]
  /** Of each processor that ended in order. */
  processorImbalances: readonly number[]
  /** What must be 0 when all is at rest, by name. */
  leftovers: ReadonlyMap<string, number>
}
