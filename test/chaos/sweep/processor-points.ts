import { setTimeout as pause } from 'node:timers/promises'
import type { Stage } from '../stage/stage.js'
import type { SweepCase } from './sweep-case.js'

/** What makes a processor come to a step that it does not come to by itself. */
type Trigger = 'flaky' | 'cut' | 'terminate'

interface Step {
  step: string
  trigger?: Trigger
  /** Which passage of the point; the first one may be too early to matter. */
  nth: number
}

/** One batch's life in a processor, in order, and what surrounds it. */
const STEPS: readonly Step[] = [
  { step: 'own', nth: 2 },
  { step: 'load-state', nth: 1 },
  { step: 'read', nth: 3 },
  { step: 'run', nth: 3 },
  { step: 'commit', nth: 3 },
  { step: 'checkpoint', nth: 3 },
  { step: 'renew', nth: 2 },
  { step: 'put-aside', trigger: 'flaky', nth: 1 },
  { step: 'promote', trigger: 'flaky', nth: 1 },
  { step: 'regroup', trigger: 'cut', nth: 1 },
  { step: 'release', trigger: 'terminate', nth: 1 },
]

const REACHED_MS = 60_000
/** The processor works on before it is triggered, and its successor before the load ends. */
const WORK_MS = 700

/** The processor is killed before it sends each command, and after Redis has applied it, before it knows. */
export const PROCESSOR_POINTS: readonly SweepCase[] = STEPS.flatMap(({ step, trigger, nth }) =>
  (['before', 'replied'] as const).map((moment): SweepCase => {
    const when = moment === 'before' ? 'before it begins' : 'when it is done and the processor does not know'
    return {
      name: `${step}:${moment}`,
      summary: `SIGKILL of the processor at ${step}, ${when}`,
      scenarios: step === 'commit' || step === 'checkpoint' ? [2, 3] : [3],
      bringAbout: (stage) => killAt(stage, `${step}:${moment}`, nth, trigger),
    }
  }),
)

async function killAt(stage: Stage, point: string, nth: number, trigger?: Trigger): Promise<string | undefined> {
  const member = stage.crew.add({ TELEMETRYHUB_FAILPOINT: `${point}:${nth}:kill` })
  const { program } = member
  stage.load.start()
  if (trigger !== undefined) {
    await program.reaches('works', ({ ledger }) => ledger.settled > 0, REACHED_MS)
    await pause(WORK_MS)
  }
  if (trigger === 'flaky') stage.load.slipIn('flaky')
  if (trigger === 'cut') stage.processorNetwork.cut()
  if (trigger === 'terminate') process.kill(program.pid, 'SIGTERM')
  if (!(await stage.traced(`hit ${point}`, REACHED_MS))) return `${point} was not reached`
  await program.ended()
  await pause(WORK_MS)
  return undefined
}
