/** What every file `bench/<kind>/*.bench.ts` exports as `bench`. */
export interface Bench {
  title: string
  /** @param mode `short` fits CI: a second or so per contender */
  run(mode: BenchMode): Promise<BenchRow[]>
}

export type BenchMode = 'short' | 'full'

/** One figure of one contender; contenders of one bench are measured side by side in one run. */
export interface BenchRow {
  contender: string
  /** E.g. `samples/s`, `bytes/sample`, `ms p99`. */
  unit: string
  value: number
  /** What the figure means or how it was checked. */
  note?: string
}
