import { messageOf } from '#core/errors/telemetry-error'
import type { Clock } from '#core/time/clock'
import { Arrivals } from './arrivals.js'
import type { ControlRows } from './control-rows.js'
import { answerOrder, orderFolder, waitingOrders } from './dead-letter-orders.js'
import { type DeadLetterPlan, type DeskOrder, planOrder } from './dead-letter-plan.js'

/** Longest wait for orders, which a file watch ends. */
const LOOK_EVERY_MS = 1000

/** What the owner of a shard offers to those who have orders. */
export interface Counter {
  readonly rows: ControlRows
  /** Makes the plan part of the shard. @returns false: the shard has another owner, who will do it */
  carryOut(plan: DeadLetterPlan): Promise<boolean>
  /** Runs a step while nothing else changes the rows. */
  inTurn<T>(step: () => Promise<T>): Promise<T>
}

/** Carries out orders that concern an owned shard's dead letters, from whichever process. Thread: main. */
export class DeadLetterDesk {
  readonly #folder: string
  readonly #counter: Counter
  readonly #clock: Clock
  readonly #arrivals: Arrivals
  readonly #closing = new AbortController()
  readonly #serving: Promise<void>

  constructor(controlFolder: string, counter: Counter, clock: Clock) {
    this.#folder = orderFolder(controlFolder)
    this.#counter = counter
    this.#clock = clock
    this.#arrivals = new Arrivals(this.#folder)
    this.#serving = this.#serve()
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#arrivals.close()
    await this.#serving
  }

  async #serve(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      const seen = this.#arrivals.rings
      try {
        for (const { name, order } of waitingOrders(this.#folder, this.#clock.nowUs() / 1000)) {
          if (signal.aborted || !(await this.#counter.inTurn(() => this.#carryOut(name, order)))) return
        }
      } catch {
        // A folder that cannot be read now is looked at again; whoever waits gives up by itself.
      }
      await this.#arrivals.wait(seen, LOOK_EVERY_MS, signal)
    }
  }

  async #carryOut(name: string, order: DeskOrder): Promise<boolean> {
    try {
      const plan = planOrder(this.#counter.rows, order, this.#clock.nowUs())
      if (!(await this.#counter.carryOut(plan))) return false
      answerOrder(this.#folder, name, { outcomes: plan.outcomes })
    } catch (error) {
      answerOrder(this.#folder, name, { problem: messageOf(error) })
    }
    return true
  }
}
