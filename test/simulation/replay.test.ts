import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { it } from 'node:test'
import { promisify } from 'node:util'
import { runSchedule } from './schedule.js'
import { WORLD_SIZES } from './world-plan.js'

const run = promisify(execFile)
const PROGRAM = join(import.meta.dirname, 'simulate.js')

it('a seed gives the same run again, to the last event and the last bit of its time', async () => {
  for (const size of WORLD_SIZES) {
    for (const seed of [1, 2, 3, 2 ** 40 + 5]) {
      const first = await runSchedule({ seed, size, keepsTrace: true })
      // Another one in between: nothing of a schedule is left for the next.
      await runSchedule({ seed: seed + 1000, size })
      const second = await runSchedule({ seed, size, keepsTrace: true })
      assert.deepEqual(second.trace, first.trace)
      assert.equal(second.hash, first.hash)
      assert.ok(first.trace.length > 100)
    }
  }
})

it('a seed gives the same run in another process, and keeping its lines changes nothing', async () => {
  const { hash } = await runSchedule({ seed: 7, size: 'large' })
  const { stdout } = await run(process.execPath, [
    PROGRAM,
    '--seed',
    '7',
    '--schedules',
    '1',
    '--size',
    'large',
    '--trace',
  ])
  assert.match(stdout, new RegExp(`^hash ${hash}$`, 'm'))
})

it('another seed gives another run', async () => {
  const hashes = new Set<string>()
  for (let seed = 1; seed <= 20; seed++) hashes.add((await runSchedule({ seed, size: 'small' })).hash)
  assert.equal(hashes.size, 20)
})

it('a failing seed is printed with the command that shows it again', async () => {
  const args = ['--seed', '1', '--schedules', '50', '--mutation', '1']
  const failed = (await run(process.execPath, [PROGRAM, ...args]).catch((error: unknown) => error)) as {
    code: number
    stdout: string
  }
  assert.equal(failed.code, 1)
  assert.match(failed.stdout, /npm run simulate -- --seed \d+ --schedules 1 --size (small|large) --mutation 1 --trace/)
})
