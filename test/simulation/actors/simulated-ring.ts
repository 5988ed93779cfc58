import { RingConsumer } from '#core/ring/ring-consumer'

/** The real ring; only waiting is by virtual time, where the real one sleeps on its memory. */
export class SimulatedRing extends RingConsumer {
  #wake: () => void = () => {}

  override async waitAsync(timeoutMs: number): Promise<boolean> {
    if (this.backlog > 0) return true
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    return this.backlog > 0
  }

  /** Something was published. */
  wake(): void {
    this.#wake()
  }
}
