/** Work that is done again and again, each time so long after it has ended, so never twice at once. */
export class Repeated {
  readonly #work: () => Promise<void>
  readonly #intervalMs: number
  #timer: NodeJS.Timeout | undefined
  #isStopped = false
  #underWay: Promise<void> = Promise.resolve()

  /** @param work never rejects */
  constructor(work: () => Promise<void>, intervalMs: number) {
    this.#work = work
    this.#intervalMs = intervalMs
  }

  /** Begins now. Resolves when the work has been done once. */
  start(): Promise<void> {
    this.#underWay = this.#once()
    return this.#underWay
  }

  /** Begins no more. Resolves when what is under way has ended. */
  stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    return this.#underWay
  }

  async #once(): Promise<void> {
    await this.#work()
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.start(), this.#intervalMs)
  }
}
