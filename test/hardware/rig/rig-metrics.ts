const NOTHING: ReadonlyMap<string, number> = new Map()

/** What the hub says of its devices, as Prometheus would read it. */
export class RigMetrics {
  readonly #counts = new Map<string, Map<string, number>>()
  readonly #measuring = new Set<string>()

  constructor(text: string) {
    for (const line of text.split('\n')) {
      if (!line.startsWith('hub_device_')) continue
      const match = /^(\w+)\{([^}]*)\} (\S+)$/.exec(line)
      if (match !== null) this.#take(match[1]!, match[2]!, Number(match[3]))
    }
  }

  static async read(url: string): Promise<RigMetrics> {
    const answer = await fetch(`${url}/metrics`)
    return new RigMetrics(await answer.text())
  }

  /**
   * How often each thing happened to a device: results of its readings, reasons of rejects of a device that reads
   * itself, and `lost` for each time it was lost as a whole.
   */
  counts(device: string): ReadonlyMap<string, number> {
    return this.#counts.get(device) ?? NOTHING
  }

  /** Good readings of a device; always 0 of one whose driver reads by itself. */
  readings(device: string): number {
    return this.counts(device).get('ok') ?? 0
  }

  isMeasuring(device: string): boolean {
    return this.#measuring.has(device)
  }

  #take(name: string, written: string, value: number): void {
    const label = (key: string) => new RegExp(`${key}="([^"]*)"`).exec(written)?.[1] ?? ''
    const count = (what: string) => {
      const counts = this.#counts.get(label('device')) ?? new Map<string, number>()
      this.#counts.set(label('device'), counts.set(what, value))
    }
    if (name === 'hub_device_reads_total') count(label('result'))
    else if (name === 'hub_device_rejects_total') count(label('reason'))
    else if (name === 'hub_device_failures_total') count('lost')
    else if (name === 'hub_device_state' && label('state') === 'Measuring' && value === 1) {
      this.#measuring.add(label('device'))
    }
  }
}
