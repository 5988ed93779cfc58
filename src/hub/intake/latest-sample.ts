const SERIES = 0
const SEQUENCE = 1
const VALUE = 2

/** The newest accepted sample of the hub; written with every reading, without allocation. */
export class LatestSample {
  readonly #fields = new Float64Array(3)
  #isThere = false

  set(series: number, sequence: number, value: number): void {
    this.#isThere = true
    this.#fields[SERIES] = series
    this.#fields[SEQUENCE] = sequence
    this.#fields[VALUE] = value
  }

  get(): { series: number; sequence: number; value: number } | undefined {
    const [series, sequence, value] = this.#fields
    return this.#isThere ? { series, sequence, value } : undefined
  }
}
