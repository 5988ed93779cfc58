import type { Finding } from '#core/model/finding'

interface Row {
  revision: number
  body: string
}

/** What all processors write to: it outlives them. The finding of the highest revision per key stays. */
export class SinkTable {
  readonly #rows = new Map<string, Row>()
  readonly #onConflict: (key: string) => void

  /** @param onConflict a finding came again with the same key and revision, and says something else */
  constructor(onConflict: (key: string) => void) {
    this.#onConflict = onConflict
  }

  put({ key, revision, body }: Finding): void {
    const row = { revision, body: JSON.stringify(body) }
    const known = this.#rows.get(key)
    if (known?.revision === revision && known.body !== row.body) this.#onConflict(key)
    if (known === undefined || revision >= known.revision) this.#rows.set(key, row)
  }

  get(key: string): Row | undefined {
    return this.#rows.get(key)
  }
}
