/**
 * A program of its own, as an instrument would be: writes the lines of a file into a serial device on a fixed schedule.
 *
 * `node play-recording.js FILE DEVICE LINES_PER_SECOND`; the schedule is an open loop, so a reader that is slow meets what
 * waits in the kernel's buffer, not a slower writer.
 */
import { readFileSync } from 'node:fs'
import { constants, open } from 'node:fs/promises'

const [file, path, linesPerSecond] = process.argv.slice(2) as [string, string, string]
const lines = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line.trim() !== '')
const device = await open(path, constants.O_WRONLY | constants.O_NOCTTY)
const startedMs = performance.now()
for (let next = 0; next < lines.length; ) {
  const due = Math.floor(((performance.now() - startedMs) * Number(linesPerSecond)) / 1000) + 1
  const batch = lines.slice(next, due)
  if (batch.length > 0) await device.writeFile(`${batch.join('\n')}\n`)
  next += batch.length
  await new Promise((resolve) => setTimeout(resolve, Math.min(100, 1000 / Number(linesPerSecond))))
}
await device.close()
