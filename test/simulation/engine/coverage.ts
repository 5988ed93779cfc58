/** How often which fault met which call. */
export class Coverage {
  readonly #counts = new Map<string, Map<string, number>>()

  add(fault: string, call: string, times = 1): void {
    const calls = this.#counts.get(fault) ?? new Map<string, number>()
    calls.set(call, (calls.get(call) ?? 0) + times)
    this.#counts.set(fault, calls)
  }

  addAll(other: Coverage): void {
    for (const [fault, calls] of other.#counts) for (const [call, times] of calls) this.add(fault, call, times)
  }

  /** 0 when they never met. */
  count(fault: string, call: string): number {
    return this.#counts.get(fault)?.get(call) ?? 0
  }

  toJSON(): Record<string, Record<string, number>> {
    return Object.fromEntries([...this.#counts].map(([fault, calls]) => [fault, Object.fromEntries(calls)]))
  }

  /** A table: a line per call, a column per fault, for those that happen to calls; then the others. */
  toString(): string {
    const lines: string[] = []
    for (const [fault, calls] of [...this.#counts].sort(([left], [right]) => (left < right ? -1 : 1))) {
      const parts = [...calls].sort(([left], [right]) => (left < right ? -1 : 1))
      lines.push(`${fault.padEnd(26)} ${parts.map(([call, times]) => `${call} ${times}`).join(', ')}`)
    }
    return lines.join('\n')
  }
}
