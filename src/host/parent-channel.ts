/** What a program tells the program that started it (`npm start`) over Node's IPC channel; silent without a parent. */
export type ToParent<Figures> =
  | { kind: 'ready'; url: string }
  | { kind: 'figures'; figures: Figures }
  | { kind: 'stopped'; figures: Figures }

const FIGURES_INTERVAL_MS = 250

export class ParentChannel<Figures> {
  readonly #figures: () => Figures
  #timer: NodeJS.Timeout | undefined

  constructor(figures: () => Figures) {
    this.#figures = figures
  }

  /** @param onOrphaned called when the parent has gone: the program should end too */
  open(url: string, onOrphaned: () => void): void {
    if (process.send === undefined) return
    process.once('disconnect', onOrphaned)
    this.#send({ kind: 'ready', url })
    this.#timer = setInterval(() => this.#send({ kind: 'figures', figures: this.#figures() }), FIGURES_INTERVAL_MS)
  }

  /** Sends the last figures; resolves when they have left, so that the process may exit. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    if (process.send === undefined || !process.connected) return
    const last: ToParent<Figures> = { kind: 'stopped', figures: this.#figures() }
    await new Promise<void>((resolve) => process.send!(last, () => resolve()))
  }

  #send(message: ToParent<Figures>): void {
    if (process.connected) process.send!(message)
  }
}
