/** One simulated process or worker thread: nothing of it happens once it is dead, or while it is stopped. */
export class Actor {
  readonly name: string
  isAlive = true
  /** Virtual milliseconds. */
  stoppedUntilMs = 0

  constructor(name: string) {
    this.name = name
  }
}
