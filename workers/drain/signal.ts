/** Wakes the one who waits. A signal raised while nobody waits is kept for the next wait. */
export class Signal {
  #isRaised = false
  #wake: (() => void) | undefined

  raise(): void {
    this.#isRaised = true
    this.#wake?.()
  }

  /** Resolves when the signal is raised, or after `timeoutMs`. One wait at a time. */
  async next(timeoutMs = Number.POSITIVE_INFINITY): Promise<void> {
    if (!this.#isRaised) {
      await new Promise<void>((resolve) => {
        const timer = timeoutMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(resolve, timeoutMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.#wake = undefined
    }
    this.#isRaised = false
  }
}
