import { setTimeout as pause } from 'node:timers/promises'
import type { Conduct } from '../samples.js'
import type { Stage } from '../stage/stage.js'
import type { SweepCase } from './sweep-case.js'

const REACHED_MS = 60_000
const WORK_MS = 700
/** Some nine deaths, on a busy machine each with a start of seconds. */
const CONVICTED_MS = 120_000
/** So many checkpoints the frozen owner has made, more than the next owner has when it wakes. */
const FROZEN_AT = 12

/** Moments that need more than one kill. */
export const SPECIAL_CASES: readonly SweepCase[] = [
  {
    name: 'read-lost',
    summary: 'the reply to a read is lost with its connection: the entries come again to the same owner',
    scenarios: [10],
    bringAbout: loseRead,
  },
  {
    name: 'checkpoint-lost',
    summary: 'the reply to a settlement is lost with its connection: it counts once',
    scenarios: [11],
    bringAbout: (stage) => lose(stage, 'checkpoint', 3),
  },
  {
    name: 'commit-withheld',
    summary: 'findings of a checkpoint are never written and the process is killed: it was not acknowledged',
    scenarios: [2],
    bringAbout: withholdCommit,
  },
  {
    name: 'frozen-owner',
    summary: 'a settlement is sent after a freeze beyond the lease: it is refused, and harms nothing',
    scenarios: [4],
    bringAbout: freezeOwner,
  },
  {
    name: 'bad-company',
    summary: 'a sample ends its thread again and again: it alone is dead-lettered',
    scenarios: [21],
    bringAbout: (stage) => slipInBad(stage, 'bad-exit'),
  },
  {
    name: 'silent-killer',
    summary: 'a sample ends its whole process again and again, while newer ones keep coming: it alone is dead-lettered',
    scenarios: [21],
    bringAbout: (stage) => slipInBad(stage, 'bad-abort'),
  },
]

async function lose(stage: Stage, step: string, nth: number): Promise<string | undefined> {
  stage.crew.add({ TELEMETRYHUB_FAILPOINT: `${step}:replied:${nth}:lose` })
  stage.load.start()
  if (!(await stage.traced(`hit ${step}:replied`, REACHED_MS))) return `the reply to ${step} was not lost`
  await pause(WORK_MS)
  return undefined
}

/** Entries whose read was lost have to come soon, not when the ownership ends: batch numbers without a gap show it. */
async function loseRead(stage: Stage): Promise<string | undefined> {
  return lose(stage, 'read', 5)
}

async function withholdCommit(stage: Stage): Promise<string | undefined> {
  const { program } = stage.crew.add({ TELEMETRYHUB_FAILPOINT: 'checkpoint-commit:before:3:withhold' })
  stage.load.start()
  if (!(await stage.traced('hit checkpoint-commit:before', REACHED_MS))) return 'no commit was withheld'
  await program.ended()
  await pause(WORK_MS)
  return undefined
}

async function freezeOwner(stage: Stage): Promise<string | undefined> {
  const frozen = stage.crew.add({ TELEMETRYHUB_FAILPOINT: `checkpoint:before:${FROZEN_AT}:stop` })
  stage.load.start()
  if (!(await stage.traced('hit checkpoint:before', REACHED_MS))) return 'the owner was not frozen'
  const next = stage.crew.add()
  await next.program.reaches(
    'it owns all and has settled',
    ({ ledger, shardsOwned }) => shardsOwned === stage.options.shards && ledger.settled > 0,
    REACHED_MS,
  )
  process.kill(frozen.program.pid, 'SIGCONT')
  const isRefused = await stage.traced('fenced checkpoint', WORK_MS)
  // The owner after both begins with the state that is stored: whatever the late settlement did to it would show.
  await Promise.all([stage.crew.kill(frozen), stage.crew.kill(next)])
  stage.crew.restart(next)
  await pause(WORK_MS)
  return isRefused ? undefined : 'the settlement of the frozen owner was not refused'
}

async function slipInBad(stage: Stage, conduct: Conduct): Promise<string | undefined> {
  stage.crew.add()
  stage.load.start()
  await pause(WORK_MS)
  stage.load.slipIn(conduct)
  const until = performance.now() + CONVICTED_MS
  const admin = await stage.admin()
  try {
    while (performance.now() < until) {
      if ((await stage.deadLetters(admin)) > 0) return undefined
      await pause(WORK_MS / 10)
    }
    return `the bad sample was not dead-lettered within ${CONVICTED_MS} ms`
  } finally {
    admin.disconnect()
  }
}
