/** Runs asynchronous steps one after another, in the order in which they were asked for. */
export class InOrder {
  #last: Promise<unknown> = Promise.resolve()

  /** @returns what the step resolves or rejects to; a failed step does not stop the next */
  run<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#last.then(step)
    this.#last = result.catch(() => {})
    return result
  }
}
