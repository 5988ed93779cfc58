/**
 * Notices that connections have come to another run of the server: it was restarted or a replica took its place, and
 * either may have lost the latest writes that it had confirmed. Whoever owns something gives it up then and begins again
 * from what the store still has: otherwise settlements that were lost would come again on top of state that has them.
 */
export class ServerWatch {
  onNewRun: () => void = () => {}
  #runId: string | undefined

  /** @param runId of the server that a new connection has reached; `undefined` when it may not be asked */
  see(runId: string | undefined): void {
    const isNew = this.#runId !== undefined && runId !== undefined && runId !== this.#runId
    this.#runId = runId ?? this.#runId
    if (isNew) this.onNewRun()
  }
}
