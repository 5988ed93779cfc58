interface Waiting {
  isAlone: boolean
  enter(): void
}

/**
 * Lets the runs of a processor go on together, and a trial alone: when the process ends during the trial of an entry,
 * nothing else that ran in it can have been the cause. First come, first served, so neither kind waits for ever.
 */
export class TrialGate {
  readonly #waiting: Waiting[] = []
  #running = 0
  #isOneAlone = false

  /** Work that others may run beside. Rejects as the work does. */
  together(work: () => Promise<void>): Promise<void> {
    return this.#pass(false, work)
  }

  /** Work that nothing runs beside. Rejects as the work does. */
  alone(work: () => Promise<void>): Promise<void> {
    return this.#pass(true, work)
  }

  async #pass(isAlone: boolean, work: () => Promise<void>): Promise<void> {
    if (this.#waiting.length > 0 || !this.#hasRoomFor(isAlone)) {
      await new Promise<void>((resolve) => this.#waiting.push({ isAlone, enter: resolve }))
    } else this.#count(isAlone)
    try {
      await work()
    } finally {
      this.#running--
      this.#isOneAlone = false
      this.#admit()
    }
  }

  #admit(): void {
    for (let [next] = this.#waiting; next !== undefined && this.#hasRoomFor(next.isAlone); [next] = this.#waiting) {
      this.#waiting.shift()
      this.#count(next.isAlone)
      next.enter()
    }
  }

  #hasRoomFor(isAlone: boolean): boolean {
    return isAlone ? this.#running === 0 : !this.#isOneAlone
  }

  #count(isAlone: boolean): void {
    this.#running++
    this.#isOneAlone = isAlone
  }
}
