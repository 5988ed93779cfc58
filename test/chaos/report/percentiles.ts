export interface Percentiles {
  count: number
  p50: number
  p99: number
  max: number
}

/** Nearest-rank percentiles; `undefined` of nothing. */
export function percentilesOf(values: readonly number[]): Percentiles | undefined {
  if (values.length === 0) return undefined
  const sorted = [...values].sort((a, b) => a - b)
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  return { count: sorted.length, p50: rank(0.5), p99: rank(0.99), max: rank(1) }
}
