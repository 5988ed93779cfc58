/** What it costs to make values of a driver's bytes, for every driver of the catalogue that is polled or streams. */
import { setTimeout as sleep } from 'node:timers/promises'
import { builtInDrivers, loadDrivers } from '#src/hub/config/driver-catalogue'
import { type Decoded, isFault } from '#src/hub/drivers/contract/decoded'
import type { AnyPolledDriver, AnyStreamDriver } from '#src/hub/drivers/contract/driver-module'
import { readFault } from '#src/hub/drivers/contract/fault'
import { exampleOptions } from '#test/conformance/drivers/example-options'
import { optionsOf } from '#test/support/driver-rig'
import { portOnto } from '#test/support/virtual-ports'
import type { Bench, BenchRow } from '../bench.js'

/** What is decoded, again and again, and how many readings that gives each time. */
interface Decoding {
  decode(): Decoded
  readonly readings: number
  readonly bytes: number
}

export const bench: Bench = {
  title: 'Drivers on one thread: from the bytes of an acquisition to values (CPU time)',
  async run(mode) {
    const rows: BenchRow[] = []
    for (const [name, driver] of await loadDrivers(builtInDrivers())) {
      if ('problem' in driver) throw new Error(`${name}: ${driver.problem}`)
      if (driver.kind === 'source') continue
      const decoding = driver.kind === 'polled' ? await polled(name, driver) : streamed(name, driver)
      const value = nsPerReading(decoding, mode === 'short' ? 100 : 500)
      const note = `${decoding.readings} readings of ${decoding.bytes} bytes, values checked`
      rows.push({ contender: name, unit: 'ns/reading', value, note })
    }
    return rows
  },
}

/** One acquisition of the virtual device, as the hub gets it. */
async function polled(name: string, driver: AnyPolledDriver): Promise<Decoding> {
  const options = optionsOf(driver, exampleOptions(name)[0])
  const port = portOnto(driver.emulate(options, driver.manifest.buses[0]))
  const tools = { pause: (ms: number) => sleep(Math.ceil(ms) + 1), fault: readFault }
  const setup = await driver.initialise(port, options, tools)
  const calibration = driver.calibration(setup, options, readFault)
  let raw = new Uint8Array(0)
  while (raw.length === 0) {
    await sleep(Math.min(4 * driver.shortestEveryMs(options), 200))
    raw = Uint8Array.from(await driver.acquire(port, options, tools, setup))
  }
  const decode = () => driver.decode(raw, calibration, options)
  return { decode, readings: checked(name, decode()), bytes: raw.length }
}

/** All frames of the virtual device's first words. */
function streamed(name: string, driver: AnyStreamDriver): Decoding {
  const options = optionsOf(driver, exampleOptions(name)[0])
  const device = driver.emulate(options)
  if (device.bus !== 'line') throw new Error(`${name} emulates no line.`)
  const framer = driver.framer(options)
  const acts: (() => void)[] = []
  device.connect(
    (bytes) => framer.push(bytes),
    (_ms, act) => {
      acts.push(act)
      return () => {}
    },
  )
  for (const command of driver.startCommands?.(options) ?? []) device.receive(command)
  const frames: Uint8Array[] = []
  for (let turn = 0; turn < 10; turn++) {
    for (const act of acts) act()
    for (let frame = framer.next(); frame; frame = framer.next()) frames.push(frame.slice())
  }
  const decoder = driver.decoder(options)
  const decode = () => {
    const readings = frames.flatMap((frame) => {
      const decoded = decoder.decode(frame)
      if (isFault(decoded)) throw new Error(`${name}: ${decoded.message}`)
      return decoded
    })
    return readings
  }
  const bytes = frames.reduce((sum, frame) => sum + frame.length, 0)
  return { decode, readings: checked(name, decode()), bytes }
}

function checked(name: string, decoded: Decoded): number {
  if (isFault(decoded)) throw new Error(`${name}: ${decoded.message}`)
  const isMeasured = decoded.some(({ values }) => Array.from(values).some(Number.isFinite))
  if (!isMeasured) throw new Error(`${name} gave no value.`)
  return decoded.length
}

function nsPerReading({ decode, readings }: Decoding, ms: number): number {
  let decoded = 0
  const run = (forMs: number) => {
    const startNs = cpuNs()
    decoded = 0
    while (cpuNs() - startNs < forMs * 1e6) {
      for (let turn = 0; turn < 1000; turn++) decode()
      decoded += 1000 * readings
    }
    return (cpuNs() - startNs) / decoded
  }
  run(ms / 4)
  return run(ms)
}

/** CPU time, not wall time: other programs on the machine do not count. */
function cpuNs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) * 1000
}
