/** Urgent ones that go before others that wait, in a row. */
const MOST_URGENT_IN_A_ROW = 8

/** Who waits for a thread: urgent ones first, each kind first come, first served; every ninth turn is the others'. */
export class TurnQueue<Waiting> {
  readonly #urgent: Waiting[] = []
  readonly #others: Waiting[] = []
  #inARow = 0

  push(waiting: Waiting, isUrgent: boolean): void {
    if (isUrgent) this.#urgent.push(waiting)
    else this.#others.push(waiting)
  }

  /** Takes out whose turn it is. */
  shift(): Waiting | undefined {
    if (this.#urgent.length === 0 || (this.#others.length > 0 && this.#inARow >= MOST_URGENT_IN_A_ROW)) {
      this.#inARow = 0
      return this.#others.shift()
    }
    this.#inARow++
    return this.#urgent.shift()
  }

  /** Takes out all. */
  clear(): Waiting[] {
    return [...this.#urgent.splice(0), ...this.#others.splice(0)]
  }
}
