import { readFault } from '../drivers/contract/fault.js'
import type { BusTime } from './bus-time.js'

/** Share of bus time that devices in trouble have together, as long as others have need of it. */
const FAILING_SHARE = 0.03
/** So many failures in a row, and a device is in trouble. */
const FAILURES_IN_A_ROW = 2
/** Or so much bus time lost to it, in its own timeouts; a success halves what is held against it. */
const LOST_TIMEOUTS = 1.5

/** A device that takes turns on a bus. */
export class BusUser {
  readonly name: string
  /** Of one call. Milliseconds. */
  readonly timeoutMs: number
  /** When what it asks for next is due to be done, on the monotonic clock: who is due first goes first. */
  deadlineMs = 0
  /** Time it has had the bus, milliseconds. */
  busyMs = 0
  /** Being stopped: it gets no turn any more. */
  isStopped = false
  /** Monotonic; `undefined`: none yet. */
  lastSuccessMs: number | undefined
  #failuresInARow = 0
  #lostMs = 0

  constructor(name: string, timeoutMs: number) {
    this.name = name
    this.timeoutMs = timeoutMs
  }

  /** In trouble: it goes only when nobody else waits, and seldom. */
  get isFailing(): boolean {
    return this.#failuresInARow >= FAILURES_IN_A_ROW || this.#lostMs > LOST_TIMEOUTS * this.timeoutMs
  }

  /** It is opened. After an operator's stop nothing of before is held against it. */
  resume(): void {
    if (!this.isStopped) return
    this.isStopped = false
    this.#failuresInARow = 0
    this.#lostMs = 0
  }

  /** A call has ended. */
  settle(tookMs: number, isWell: boolean, nowMs: number): void {
    this.busyMs += tookMs
    if (isWell) {
      this.#failuresInARow = 0
      this.#lostMs /= 2
      this.lastSuccessMs = nowMs
    } else {
      this.#failuresInARow++
      this.#lostMs = Math.min(this.#lostMs + tookMs, 4 * this.timeoutMs)
    }
  }
}

interface Waiting {
  readonly user: BusUser
  readonly deadlineMs: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Who has a bus when: one call at a time, the earliest deadline first (Liu and Layland 1973, without preemption). A
 * device in trouble costs a whole timeout at each try, so it waits until nobody healthy does, and as long as anybody on
 * the bus is well it is kept to a small share of its time. Nothing is timed unless a device in trouble waits.
 */
export class BusTurns {
  readonly #time: BusTime
  readonly #place: string
  readonly #users = new Set<BusUser>()
  #waiting: Waiting[] = []
  #holder: BusUser | undefined
  #isStuck = false
  #failingNotBeforeMs = 0
  #cancelWake: (() => void) | undefined

  constructor(time: BusTime, place: string) {
    this.#time = time
    this.#place = place
  }

  get users(): ReadonlySet<BusUser> {
    return this.#users
  }

  get holder(): BusUser | undefined {
    return this.#holder
  }

  add(user: BusUser): void {
    this.#users.add(user)
  }

  remove(user: BusUser): void {
    this.cancel(user)
    this.#users.delete(user)
  }

  /** Resolves when it is the user's turn: then it has the bus until {@link give}. @throws TLM_READ_FAILED `busy`, `io` */
  take(user: BusUser): Promise<void> {
    if (this.#isStuck) return Promise.reject(this.#stuck())
    if (user.isStopped) return Promise.reject(this.#cancelled(user))
    if (this.#holder === undefined && this.#waiting.length === 0 && this.#mayGo(user)) {
      this.#holder = user
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ user, deadlineMs: user.deadlineMs, resolve, reject })
      if (this.#holder === undefined) this.#next()
    })
  }

  /** The call has ended after so long; the next one gets the bus. */
  give(user: BusUser, tookMs: number, isWell: boolean): void {
    const nowMs = this.#time.monotonicMs()
    const wasFailing = user.isFailing
    user.settle(tookMs, isWell, nowMs)
    if (wasFailing && !isWell) {
      // What a call takes beyond its timeout is the bus's or the kernel's fault.
      const lostMs = Math.min(tookMs, user.timeoutMs)
      this.#failingNotBeforeMs = nowMs + (lostMs * (1 - FAILING_SHARE)) / FAILING_SHARE
    }
    // One that was in trouble is well again: what was wrong may have been the bus, so the others have a try at once.
    if (wasFailing && !user.isFailing) this.#failingNotBeforeMs = nowMs
    this.#holder = undefined
    this.#isStuck = false
    this.#next()
  }

  /** The call does not end in time and cannot be ended: whoever waits is told, as are those who come. */
  markStuck(): void {
    this.#isStuck = true
    for (const { reject } of this.#waiting.splice(0)) reject(this.#stuck())
  }

  /** Waits no more for its turn. */
  cancel(user: BusUser): void {
    const gone = this.#waiting.filter((waiting) => waiting.user === user)
    if (gone.length === 0) return
    this.#waiting = this.#waiting.filter((waiting) => waiting.user !== user)
    if (this.#waiting.length === 0) this.#cancelWake?.()
    for (const { reject } of gone) reject(this.#cancelled(user))
  }

  #next(): void {
    this.#cancelWake?.()
    this.#cancelWake = undefined
    const next = this.#earliest(false) ?? this.#earliest(true)
    if (next === undefined) return
    if (!this.#mayGo(next.user)) {
      const waitMs = this.#failingNotBeforeMs - this.#time.monotonicMs()
      this.#cancelWake = this.#time.after(waitMs, () => {
        if (this.#holder === undefined) this.#next()
      })
      return
    }
    this.#waiting.splice(this.#waiting.indexOf(next), 1)
    this.#holder = next.user
    next.resolve()
  }

  #earliest(isFailing: boolean): Waiting | undefined {
    let first: Waiting | undefined
    for (const waiting of this.#waiting) {
      if (waiting.user.isFailing !== isFailing) continue
      if (first === undefined || waiting.deadlineMs < first.deadlineMs) first = waiting
    }
    return first
  }

  #mayGo(user: BusUser): boolean {
    if (!user.isFailing || this.#time.monotonicMs() >= this.#failingNotBeforeMs) return true
    for (const other of this.#users) if (other.lastSuccessMs !== undefined && !other.isFailing) return false
    return true
  }

  #cancelled(user: BusUser) {
    return readFault('io', `${user.name} is being stopped: it has no turn on ${this.#place} any more.`)
  }

  #stuck() {
    const by = this.#holder?.name ?? 'a device'
    const fix = 'check that device, and the kernel log (dmesg)'
    return readFault('busy', `${this.#place} is held by a call of ${by} that does not end: ${fix}.`)
  }
}
