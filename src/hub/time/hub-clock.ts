import { uptime } from 'node:os'
import type { Clock } from '#core/time/clock'
import { hubTimeUs } from '#core/time/hub-time'
import { type WallChange, WallMapping } from '#core/time/wall-mapping'
import { createWallMemory, WallWriter } from '#core/time/wall-memory'
import type { Logger } from '../../host/logger.js'
import type { ClockSync, SyncProbe } from './sync-probe.js'

/** The clocks that a {@link HubClock} looks at. */
export interface ClockSources {
  /** Of the monotonic clock, which stands still while the machine sleeps. Microseconds. */
  hubUs(): number
  /** Of the wall clock, microseconds. */
  wallUs(): number
  /** Since the machine was started, its sleep included. Seconds. */
  uptimeSeconds(): number
}

export interface HubClockOptions {
  sources?: ClockSources
  probe: SyncProbe
  /** A larger difference of the wall clock is a step, a smaller one is slewed. */
  stepMs: number
  /** Nothing is sealed before the clock is synchronised, for so long at most; 0: it is not waited for. */
  holdMs: number
  /** Whether the rings are so full that sealing must not wait any longer. */
  isCrowded: () => boolean
  log: Logger
}

export interface ClockFigures {
  synchronized: ClockSync
  /** Times that stamps leapt or may have gone backwards. */
  steps: number
  /** What the wall clock was ahead of the stamps at the last look. */
  offsetSeconds: number
  isHolding: boolean
  /** In words, for an operator. */
  summary: string
}

const LOOK_MS = 1000
/** While samples are held, rings may fill quickly. */
const HOLDING_LOOK_MS = 100
const PROBE_MS = 2000
/** A clock that is synchronised seldom ceases to be. */
const SYNCED_PROBE_MS = 60_000
/** Two readings of the monotonic clock further apart had something between them. */
const QUICK_US = 200
const TRIES = 5

/**
 * What time it is, told honestly. Drivers stamp with {@link stampClock}, which never steps; drain workers turn stamps
 * into wall time by the mapping in {@link memory} when they seal a batch: data taken before the clock was set gets its
 * true time if it has not been sealed yet.
 *
 * Thread: the hub's main thread.
 */
export class HubClock {
  /** The mapping for the drain workers, see `time/wall-memory`. */
  readonly memory = createWallMemory()
  /** What {@link stampClock} is ahead of hub time, for good. */
  readonly stampOriginUs: number
  /** For stamps: wall time as the hub saw it when it started, and on without a step. */
  readonly stampClock: Clock
  /** Wall time as the hub knows it now. */
  readonly wallClock: Clock
  readonly #options: HubClockOptions
  readonly #sources: ClockSources
  readonly #mapping: WallMapping
  readonly #writer: WallWriter
  readonly #startedUs: number
  #asleepSeconds: number
  #sync: ClockSync = 'unknown'
  #isHolding: boolean
  #timer: NodeJS.Timeout | undefined
  #probedUs = Number.NEGATIVE_INFINITY
  #isProbing = false

  constructor(options: HubClockOptions) {
    const sources = options.sources ?? hostClocks
    this.#options = options
    this.#sources = sources
    this.#writer = new WallWriter(this.memory)
    const { hubUs, wallUs } = this.#readBoth()
    this.#startedUs = hubUs
    this.#mapping = new WallMapping(hubUs, wallUs, { stepUs: options.stepMs * 1000 })
    this.#asleepSeconds = sources.uptimeSeconds() - hubUs / 1e6
    this.stampOriginUs = this.#mapping.toWall(hubUs) - hubUs
    const monotonicMs = () => sources.hubUs() / 1000
    this.stampClock = { nowUs: () => sources.hubUs() + this.stampOriginUs, monotonicMs }
    this.wallClock = { nowUs: () => this.#mapping.toWall(sources.hubUs()), monotonicMs }
    this.#isHolding = options.holdMs > 0
    this.#writer.write(this.#mapping.knots)
    this.#writer.isHeld = this.#isHolding
  }

  start(): void {
    const again = () => {
      this.look()
      this.#timer = setTimeout(again, this.#isHolding ? HOLDING_LOOK_MS : LOOK_MS).unref()
    }
    again()
  }

  /** Holds nothing back any more: what is in the rings is to be stored. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#release()
  }

  figures(): ClockFigures {
    const { steps, errorUs } = this.#mapping
    const isHolding = this.#isHolding
    return { synchronized: this.#sync, steps, offsetSeconds: errorUs / 1e6, isHolding, summary: this.#summary() }
  }

  /** Compares the clocks, and asks for the synchronisation when it is time to. */
  look(): void {
    const { hubUs, wallUs } = this.#readBoth()
    const asleepSeconds = this.#sources.uptimeSeconds() - hubUs / 1e6
    const change = this.#mapping.look(hubUs, wallUs, (asleepSeconds - this.#asleepSeconds) * 1e6)
    this.#asleepSeconds = asleepSeconds
    if (change.kind !== 'steady') {
      this.#writer.write(this.#mapping.knots)
      this.#tell(change)
    }
    this.#judgeHold(hubUs, change)
    const everyMs = this.#sync === 'yes' ? SYNCED_PROBE_MS : PROBE_MS
    if (!this.#isProbing && hubUs - this.#probedUs >= everyMs * 1000) void this.#probe(hubUs)
  }

  async #probe(hubUs: number): Promise<void> {
    this.#probedUs = hubUs
    this.#isProbing = true
    const sync = await this.#options.probe().catch((): ClockSync => 'unknown')
    this.#isProbing = false
    if (sync === this.#sync) return
    this.#sync = sync
    this.#options.log.info({ synchronized: sync }, 'the synchronisation of the clock has changed')
    // The step that came with it must be in the mapping before anything is sealed.
    this.look()
  }

  #judgeHold(hubUs: number, change: WallChange): void {
    if (!this.#isHolding) return
    const { holdMs, isCrowded, log } = this.#options
    const isSet = this.#sync === 'yes' || (this.#sync === 'unknown' && change.kind === 'stepped')
    const isOver = hubUs - this.#startedUs >= holdMs * 1000
    if (!isSet && !isOver && !isCrowded()) return
    const why = isSet ? 'the clock is set' : isOver ? 'time.hold_until_synced is over' : 'the rings fill up'
    log[isSet ? 'info' : 'warn']({ summary: this.#summary() }, `held samples are stored now: ${why}`)
    this.#release()
  }

  #release(): void {
    this.#isHolding = false
    this.#writer.isHeld = false
  }

  #tell(change: Exclude<WallChange, { kind: 'steady' }>): void {
    const fields = { bySeconds: change.byUs / 1e6, steps: this.#mapping.steps }
    const { log } = this.#options
    if (change.kind === 'stepped') log.warn(fields, 'the wall clock was set: samples not stored yet follow it')
    else if (change.kind === 'resumed') log.info(fields, 'the machine has slept')
    else log.info(fields, 'the wall clock differs a little: stamps follow it slowly')
  }

  #summary(): string {
    const { steps, errorUs } = this.#mapping
    const known = {
      yes: 'the clock is synchronised',
      no: 'the clock is not synchronised: instants may be wrong by any amount',
      unknown: 'nobody on this host says whether the clock is synchronised',
    }[this.#sync]
    const held = this.#isHolding ? '; samples wait in the rings until it is' : ''
    const often = steps === 1 ? 'once' : `${steps} times`
    const set = steps === 0 ? '' : `; it was set ${often} while the hub ran`
    const off = Math.abs(errorUs) < 1000 ? '' : `; stamps are ${Math.abs(errorUs / 1e6).toFixed(3)} s off and follow`
    return `${known}${held}${set}${off}`
  }

  /** Both at one moment, as good as that goes. */
  #readBoth(): { hubUs: number; wallUs: number } {
    const { hubUs, wallUs } = this.#sources
    for (let left = TRIES; ; left--) {
      const before = hubUs()
      const wall = wallUs()
      const after = hubUs()
      if (after - before <= QUICK_US || left === 0) return { hubUs: Math.round((before + after) / 2), wallUs: wall }
    }
  }
}

const hostClocks: ClockSources = {
  hubUs: hubTimeUs,
  // Cut to whole milliseconds: the middle is the best guess.
  wallUs: () => Date.now() * 1000 + 500,
  uptimeSeconds: uptime,
}
