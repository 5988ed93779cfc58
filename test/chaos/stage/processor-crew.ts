import { setTimeout as pause } from 'node:timers/promises'
import { imbalanceOf, type ProcessorFigures } from '#src/processor/processor-figures'
import type { TestProgram } from '#test/support/test-program'

export interface CrewMember {
  readonly slot: number
  program: TestProgram<ProcessorFigures>
  /** `down`: on purpose, or ended by itself and not followed yet. */
  state: 'up' | 'frozen' | 'down'
}

export type StartProcessor = (env: Readonly<Record<string, string>>) => TestProgram<ProcessorFigures>

/** How long a supervisor takes to start a program again that ended by itself. */
const RESTART_MS = 300

/** Processors of one stage: each that ends by itself is followed by another, as under a supervisor. */
export class ProcessorCrew {
  readonly members: CrewMember[] = []
  /** Ends that nobody asked for. */
  unexpectedEnds = 0
  /** Ledgers of those that ended in order. */
  readonly imbalances: number[] = []
  readonly #start: StartProcessor
  #isClosed = false

  constructor(start: StartProcessor) {
    this.#start = start
  }

  /** One more processor. @param env of its first run only: those that follow it do not have it */
  add(env: Readonly<Record<string, string>> = {}): CrewMember {
    const member: CrewMember = { slot: this.members.length, program: this.#start(env), state: 'up' }
    this.members.push(member)
    this.#watch(member)
    return member
  }

  get up(): readonly CrewMember[] {
    return this.members.filter(({ state }) => state === 'up')
  }

  async kill(member: CrewMember): Promise<void> {
    member.state = 'down'
    await member.program.kill()
  }

  /** SIGTERM and the orderly end. */
  async stop(member: CrewMember): Promise<void> {
    member.state = 'down'
    const figures = await member.program.stop()
    if (figures !== undefined) this.imbalances.push(imbalanceOf(figures.ledger))
  }

  restart(member: CrewMember): void {
    if (this.#isClosed) return
    member.program = this.#start({})
    member.state = 'up'
    this.#watch(member)
  }

  freeze(member: CrewMember): void {
    member.state = 'frozen'
    process.kill(member.program.pid, 'SIGSTOP')
  }

  thaw(member: CrewMember): void {
    if (member.state !== 'frozen') return
    process.kill(member.program.pid, 'SIGCONT')
    member.state = 'up'
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const member of this.members) this.thaw(member)
    await Promise.all(this.up.map((member) => this.stop(member)))
  }

  /** Whatever state they are in. */
  async killAll(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.members.map(({ program }) => program.kill()))
  }

  #watch(member: CrewMember): void {
    const { program } = member
    void program.ended().then(async () => {
      if (this.#isClosed || member.program !== program || member.state === 'down') return
      member.state = 'down'
      this.unexpectedEnds++
      await pause(RESTART_MS)
      if (member.program === program) this.restart(member)
    })
  }
}
