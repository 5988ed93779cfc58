import type { Random } from '#src/hub/drivers/sim/random'
import type { CrewMember, ProcessorCrew } from '../stage/processor-crew.js'
import { LEASE_MS, type Stage } from '../stage/stage.js'
import { type Nemesis, type NemesisKind, pick } from './nemesis.js'

/** What is done to a processor, and what makes it good again. */
interface Blow {
  hit(crew: ProcessorCrew, victim: CrewMember): unknown
  heal(crew: ProcessorCrew, victim: CrewMember): void
}

const restart: Blow['heal'] = (crew, victim) => crew.restart(victim)
/** SIGKILL at whatever moment; another processor follows at the heal. */
const KILL: Blow = { hit: (crew, victim) => crew.kill(victim), heal: restart }
/** SIGTERM: the processor hands over and ends; another follows at the heal. */
const STOP: Blow = { hit: (crew, victim) => crew.stop(victim), heal: restart }
/** SIGSTOP for up to three leases, as a frozen virtual machine; then SIGCONT. */
const FREEZE: Blow = { hit: (crew, victim) => crew.freeze(victim), heal: (crew, victim) => crew.thaw(victim) }

/** A blow to one of the processors that are up. */
class ProcessorBlow implements Nemesis {
  readonly #crew: ProcessorCrew
  readonly #blow: Blow
  #victim: CrewMember | undefined

  constructor({ crew }: Stage, blow: Blow) {
    this.#crew = crew
    this.#blow = blow
  }

  async strike(random: Random): Promise<string | undefined> {
    this.#victim = pick(this.#crew.up, random)
    if (this.#victim === undefined) return undefined
    await this.#blow.hit(this.#crew, this.#victim)
    return `processor ${this.#victim.slot}`
  }

  async heal(): Promise<void> {
    this.#blow.heal(this.#crew, this.#victim!)
  }
}

export const PROCESSOR_NEMESES: readonly NemesisKind[] = [
  {
    name: 'processor-kill',
    summary: 'SIGKILL of a processor',
    victim: 'processor',
    perTenMinutes: 60,
    holdMs: [100, 1500],
    create: (stage) => new ProcessorBlow(stage, KILL),
  },
  {
    name: 'processor-restart',
    summary: 'SIGTERM of a processor, then another',
    victim: 'processor',
    perTenMinutes: 8,
    holdMs: [100, 1000],
    create: (stage) => new ProcessorBlow(stage, STOP),
  },
  {
    name: 'processor-freeze',
    summary: 'SIGSTOP of a processor for half to three leases, then SIGCONT',
    victim: 'frozen-processor',
    perTenMinutes: 14,
    holdMs: [LEASE_MS / 2, 3 * LEASE_MS],
    create: (stage) => new ProcessorBlow(stage, FREEZE),
  },
]
