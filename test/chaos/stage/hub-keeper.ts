import { type HubFigures, imbalanceOf } from '#src/hub/hub-figures'
import type { TestProgram } from '#test/support/test-program'
import type { HubEnd } from '../oracle/journal.js'

export interface RunningHub {
  /** Which run of the hub, from 0. */
  number: number
  program: TestProgram<HubFigures>
  /** Of its REST API. */
  url: string
}

/** What hubs with and without a spool on disk say of samples that outlive them. */
type EndLedger = Partial<HubFigures['ledger'] & { spooled: number; recovered: number }>

/** Of a hub that did not end as it should, so much of its log is kept. Characters. */
const LOG_END = 4000
/** Patience for a start on a busy machine. */
const START_MS = 60_000

export type StartHub = (env: Readonly<Record<string, string>>) => TestProgram<HubFigures>

/** The one hub of a stage, run after run. */
export class HubKeeper {
  readonly ends: HubEnd[] = []
  readonly #start: StartHub
  #program: TestProgram<HubFigures> | undefined
  #url: string | undefined
  #number = -1

  constructor(start: StartHub) {
    this.#start = start
  }

  /** `undefined` while none is ready. */
  get running(): RunningHub | undefined {
    if (this.#program === undefined || this.#url === undefined) return undefined
    return { number: this.#number, program: this.#program, url: this.#url }
  }

  /** @param env of this run only */
  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const program = this.#start(env)
    this.#program = program
    this.#number++
    await program.reaches('it runs', () => true, START_MS)
    const url = await program.ready()
    if (this.#program === program) this.#url = url
  }

  async kill(): Promise<void> {
    await this.#end('kill', async (program) => {
      await program.kill()
      return program.figures
    })
  }

  /** SIGTERM and the orderly end. */
  async stop(): Promise<void> {
    await this.#end('stop', (program) => program.stop())
  }

  async #end(
    endedBy: HubEnd['endedBy'],
    end: (program: TestProgram<HubFigures>) => Promise<HubFigures | undefined>,
  ): Promise<void> {
    const program = this.#program
    if (program === undefined) return
    this.#program = undefined
    this.#url = undefined
    const figures = await end(program)
    const { delivered = 0, droppedBy = {}, spooled = 0, recovered = 0 }: EndLedger = figures?.ledger ?? {}
    const imbalance = figures === undefined ? 0 : imbalanceOf(figures.ledger)
    const outlives = delivered + spooled - recovered
    const exitCode = await program.ended()
    const isOrderly = endedBy === 'kill' || exitCode === 0
    this.ends.push({
      hub: this.#number,
      endedBy,
      outlives,
      droppedBy,
      imbalance,
      ledger: { ...figures?.ledger },
      ...(!isOrderly && { disorder: `exit code ${exitCode}: ${program.output.slice(-LOG_END)}` }),
    })
  }
}
