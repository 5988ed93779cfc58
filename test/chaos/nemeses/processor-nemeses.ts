import type { Random } from '#src/hub/drivers/sim/random'
import type { CrewMember } from '../stage/processor-crew.js'
import { LEASE_MS, type Stage } from '../stage/stage.js'
import { type Nemesis, type NemesisKind, pick } from './nemesis.js'

/** SIGKILL at whatever moment; another processor follows at the heal. */
class ProcessorKill implements Nemesis {
  readonly #stage: Stage
  #victim: CrewMember | undefined

  constructor(stage: Stage) {
    this.#stage = stage
  }

  async strike(random: Random): Promise<string | undefined> {
    this.#victim = pick(this.#stage.crew.up, random)
    if (this.#victim === undefined) return undefined
    await this.#stage.crew.kill(this.#victim)
    return `processor ${this.#victim.slot}`
  }

  async heal(): Promise<void> {
    this.#stage.crew.restart(this.#victim!)
  }
}

/** SIGTERM: the processor hands over and ends; another follows at the heal. */
class ProcessorRestart implements Nemesis {
  readonly #stage: Stage
  #victim: CrewMember | undefined

  constructor(stage: Stage) {
    this.#stage = stage
  }

  async strike(random: Random): Promise<string | undefined> {
    this.#victim = pick(this.#stage.crew.up, random)
    if (this.#victim === undefined) return undefined
    await this.#stage.crew.stop(this.#victim)
    return `processor ${this.#victim.slot}`
  }

  async heal(): Promise<void> {
    this.#stage.crew.restart(this.#victim!)
  }
}

/** SIGSTOP for up to three leases, as a frozen virtual machine; then SIGCONT. */
class ProcessorFreeze implements Nemesis {
  readonly #stage: Stage
  #victim: CrewMember | undefined

  constructor(stage: Stage) {
    this.#stage = stage
  }

  async strike(random: Random): Promise<string | undefined> {
    this.#victim = pick(this.#stage.crew.up, random)
    if (this.#victim === undefined) return undefined
    this.#stage.crew.freeze(this.#victim)
    return `processor ${this.#victim.slot}`
  }

  async heal(): Promise<void> {
    this.#stage.crew.thaw(this.#victim!)
  }
}

export const PROCESSOR_NEMESES: readonly NemesisKind[] = [
  {
    name: 'processor-kill',
    summary: 'SIGKILL of a processor',
    victim: 'processor',
    perTenMinutes: 60,
    holdMs: [100, 1500],
    create: (stage) => new ProcessorKill(stage),
  },
  {
    name: 'processor-restart',
    summary: 'SIGTERM of a processor, then another',
    victim: 'processor',
    perTenMinutes: 8,
    holdMs: [100, 1000],
    create: (stage) => new ProcessorRestart(stage),
  },
  {
    name: 'processor-freeze',
    summary: 'SIGSTOP of a processor for half to three leases, then SIGCONT',
    victim: 'frozen-processor',
    perTenMinutes: 14,
    holdMs: [LEASE_MS / 2, 3 * LEASE_MS],
    create: (stage) => new ProcessorFreeze(stage),
  },
]
