/** Of values that need not be sorted, the one below which a part of them lies. @param part 0 .. 1 */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}
