import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { TelemetryError } from '#core/errors/telemetry-error'
import type { Clock } from '#core/time/clock'
import type { DeadLetterLimits } from '#core/transport/dead-letters'
import { Arrivals } from './arrivals.js'
import { ControlLog } from './control-log.js'
import type { ControlRows } from './control-rows.js'
import { fetchAnswer, type OrderAnswer, orderFolder, placeOrder, withdrawOrder } from './dead-letter-orders.js'
import { type DeskOrder, planDrops, planOrder } from './dead-letter-plan.js'
import { InOrder } from './in-order.js'
import type { LeaseClock } from './lease-clock.js'
import type { ShardFolders } from './store-directory.js'

/** Longer than the lease of an owner that has died, by default. */
const PATIENCE_MS = 20_000
const LOOK_EVERY_MS = 50
/** The step itself takes milliseconds. */
const LEASE_MS = 5000

type Outcomes = Extract<OrderAnswer, { outcomes: unknown }>['outcomes']

/** Gets orders for one shard's dead letters carried out: by its owner, or, while it has none, by taking it for a moment. */
export class ShardOrders {
  readonly #folders: ShardFolders
  readonly #holder: string
  readonly #limits: DeadLetterLimits
  readonly #leaseClock: LeaseClock
  readonly #clock: Clock
  readonly #isOwned: () => boolean
  readonly #turns = new InOrder()

  /**
   * @param holder name that no owner has
   * @param isOwned whether the shard has an owner now
   */
  constructor(
    folders: ShardFolders,
    holder: string,
    limits: DeadLetterLimits,
    leaseClock: LeaseClock,
    clock: Clock,
    isOwned: () => boolean,
  ) {
    this.#folders = folders
    this.#holder = holder
    this.#limits = limits
    this.#leaseClock = leaseClock
    this.#clock = clock
    this.#isOwned = isOwned
  }

  /** @throws TLM_STREAM_UNAVAILABLE the owner does not answer; errors of the file system */
  carryOut(order: DeskOrder): Promise<Outcomes> {
    return this.#turns.run(async () => {
      const done = this.#isOwned() ? undefined : await this.#carryOutAlone(order)
      return done ?? this.#askOwner(order)
    })
  }

  /** Drops what is beyond the bounds, unless the shard has an owner, who does it. @param view as just looked at */
  trim({ rows, owner }: { rows: ControlRows; owner: string | undefined }): Promise<void> {
    return this.#turns.run(async () => {
      const plan = (current: ControlRows) => planDrops(current, [], this.#limits, this.#clock.nowUs())
      if (owner === undefined && plan(rows).changes.length > 0) await this.#own((control) => plan(control.rows))
    })
  }

  /** `undefined`: somebody owns the shard. */
  async #carryOutAlone(order: DeskOrder): Promise<Outcomes | undefined> {
    const plan = await this.#own((control) => planOrder(control.rows, order, this.#clock.nowUs()))
    return plan?.outcomes
  }

  async #own<Plan extends ReturnType<typeof planDrops>>(
    planFor: (control: ControlLog) => Plan,
  ): Promise<Plan | undefined> {
    const claimant = { folder: this.#folders.control, holder: this.#holder, leaseMs: LEASE_MS, clock: this.#leaseClock }
    const control = await ControlLog.claim(claimant)
    if (control === undefined) return undefined
    try {
      const plan = planFor(control)
      if (!(await control.append(plan.changes))) return undefined
      for (const body of plan.spentBodies) rmSync(join(this.#folders.bodies, body), { force: true })
      control.release()
      return plan
    } finally {
      await control.close()
    }
  }

  async #askOwner(order: DeskOrder): Promise<Outcomes> {
    const folder = orderFolder(this.#folders.control)
    const untilMs = this.#clock.nowUs() / 1000 + PATIENCE_MS
    const giveUpMs = this.#clock.monotonicMs() + PATIENCE_MS
    const name = placeOrder(folder, order, untilMs)
    const arrivals = new Arrivals(folder)
    try {
      for (;;) {
        const seen = arrivals.rings
        const answer = fetchAnswer(folder, name)
        if (answer !== undefined) return outcomesOf(answer)
        const isLate = this.#clock.monotonicMs() > giveUpMs
        if ((isLate || !this.#isOwned()) && withdrawOrder(folder, name)) {
          const done = await this.#carryOutAlone(order)
          if (done !== undefined) return done
          if (isLate) throw silent(this.#folders.control)
          return await this.#askOwner(order)
        }
        if (isLate && this.#clock.monotonicMs() > giveUpMs + PATIENCE_MS) throw silent(this.#folders.control)
        await arrivals.wait(seen, LOOK_EVERY_MS, undefined)
      }
    } finally {
      arrivals.close()
    }
  }
}

function outcomesOf(answer: OrderAnswer): Outcomes {
  if ('outcomes' in answer) return answer.outcomes
  throw new TelemetryError('TLM_STREAM_UNAVAILABLE', `The owner of the shard could not do it: ${answer.problem}`)
}

function silent(folder: string): TelemetryError {
  const fix = 'Fix: start the processor that owns the shard again, or end it.'
  return new TelemetryError('TLM_STREAM_UNAVAILABLE', `The owner of the shard in ${folder} does not answer. ${fix}`)
}
