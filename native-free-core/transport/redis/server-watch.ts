/**
 * Notices that a connection has come to another run of the server: it was restarted, a replica took its place, or the
 * keys were moved to another node of a cluster. All but the last may have lost the latest writes that were confirmed, so
 * whoever owns something gives it up then and begins again from what the store still has: otherwise settlements that
 * were lost would come again on top of state that has them.
 */
export class ServerWatch {
  readonly #onNewRun: () => void
  #run: string | undefined

  /** @param run the one that the ownership began with; `undefined` when it may not be asked */
  constructor(run: string | undefined, onNewRun: () => void) {
    this.#run = run
    this.#onNewRun = onNewRun
  }

  /** @param run of the server that the next command goes to */
  see(run: string | undefined): void {
    const isNew = this.#run !== undefined && run !== undefined && run !== this.#run
    this.#run = run ?? this.#run
    if (isNew) this.#onNewRun()
  }
}
