/** `node dist/test/hardware/run.js [options]`: the real hub on virtual hardware, with faults by a seeded script. */
import { parseArgs } from 'node:util'
import { requirePrograms } from '#test/support/programs'
import { runLoad } from './load.js'
import { writeReport } from './rig/report.js'
import { runScript } from './rig/script.js'

const USAGE = `Usage: npm run hardware -- [--minutes N] [--seed N] [--load]
  --minutes N  how long faults are made (default 2)
  --seed N     which faults, when (default: from the clock)
  --load       instead: what 50 devices at 10 Hz, and one slow device, cost the hub`

const say = (line: string) => console.log(line)

process.exitCode = await main()

async function main(): Promise<number> {
  let options: { minutes: number; seed: number; isLoad: boolean }
  try {
    options = readOptions()
  } catch (error) {
    if (!(error instanceof RangeError || (error instanceof TypeError && 'code' in error))) throw error
    console.error(`${error.message}\n\n${USAGE}`)
    return 64
  }
  requirePrograms(['socat', 'gcc'])
  if (options.isLoad) return runLoad(say)
  const report = await runScript(options, say)
  say(report.problems.length === 0 ? '\nEvery promise held.' : `\nBroken:\n- ${report.problems.join('\n- ')}`)
  say(`Report: ${writeReport(report)}.md and .json`)
  return report.problems.length === 0 ? 0 : 1
}

function readOptions() {
  const { values } = parseArgs({
    options: { minutes: { type: 'string' }, seed: { type: 'string' }, load: { type: 'boolean' } },
  })
  const minutes = Number(values.minutes ?? 2)
  const seed = Number(values.seed ?? Date.now() % 2 ** 31)
  if (!(minutes > 0 && minutes <= 24 * 60)) throw new RangeError(`--minutes must be above 0, not ${values.minutes}.`)
  if (!Number.isInteger(seed)) throw new RangeError(`--seed must be a whole number, not ${values.seed}.`)
  return { minutes, seed, isLoad: values.load === true }
}
