/** What the hub says of its devices, as Prometheus would read it. */
export class RigMetrics {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
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
    const counts = new Map<string, number>()
    for (const { name, labels, value } of this.#series()) {
      if (labels.device !== device) continue
      if (name === 'hub_device_reads_total') counts.set(labels.result!, value)
      if (name === 'hub_device_rejects_total') counts.set(labels.reason!, value)
      if (name === 'hub_device_failures_total') counts.set('lost', value)
    }
    return counts
  }

  /** Good readings of a device; always 0 of one whose driver reads by itself. */
  readings(device: string): number {
    return this.counts(device).get('ok') ?? 0
  }

  isMeasuring(device: string): boolean {
    for (const { name, labels, value } of this.#series()) {
      if (name === 'hub_device_state' && labels.device === device && labels.state === 'Measuring') return value === 1
    }
    return false
  }

  *#series() {
    for (const line of this.#text.split('\n')) {
      const match = /^(\w+)\{([^}]*)\} (\S+)$/.exec(line)
      if (match === null) continue
      const [, name, written, value] = match
      const labels: Record<string, string> = {}
      for (const [, key, text] of written!.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[key!] = text!
      yield { name: name!, labels, value: Number(value) }
    }
  }
}
