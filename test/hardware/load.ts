import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { HardwareRig } from './rig/rig.js'
import type { DevicePlan, RigPlan } from './rig/rig-plan.js'
import { STANDARD_BUSES, slavePlan } from './rig/standard-rig.js'

const SETTLE_MS = 5000
const MEASURE_MS = 20_000
/** Ticks of `/proc/<pid>/stat` a second, on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100
const NO_RAMPS = {}

interface Cost {
  /** Of one core. */
  readonly share: number
  readonly residentMb: number
}

/** What the hub costs with 50 devices at 10 Hz, and with one slow device. @returns the exit code */
export async function runLoad(say: (line: string) => void): Promise<number> {
  const idle = await costOf({ buses: STANDARD_BUSES, devices: [oneSlow()] }, say)
  say(`One device at 1 Hz: ${describe(idle.cost)}; ${idle.perSecond.toFixed(1)} readings a second`)
  const load = await costOf(fifty(), say)
  say(`50 devices at 10 Hz: ${describe(load.cost)}; ${load.perSecond.toFixed(1)} readings a second`)
  return 0
}

function describe({ share, residentMb }: Cost): string {
  return `${(share * 100).toFixed(1)} % of a core, ${residentMb.toFixed(0)} MB resident`
}

function oneSlow(): DevicePlan {
  return { name: 'roof', driver: 'bme280', bus: 'i2c1', address: 0x76, everyMs: 1000, ramps: NO_RAMPS }
}

/** 20 chips on 10 I2C buses, 10 on SPI, 16 slaves on 4 serial lines, 4 behind TCP. */
function fifty(): RigPlan {
  const buses: Record<string, RigPlan['buses'][string]> = {}
  const devices: DevicePlan[] = []
  for (let bus = 1; bus <= 10; bus++) {
    buses[`i2c${bus}`] = { type: 'i2c', path: `/dev/i2c-${bus}` }
    const [rate, ramps] = [{ everyMs: 100 }, { ramps: NO_RAMPS }]
    devices.push({ name: `climate-${bus}`, driver: 'bme280', bus: `i2c${bus}`, address: 0x76, ...rate, ...ramps })
    devices.push({ name: `supply-${bus}`, driver: 'ina219', bus: `i2c${bus}`, address: 0x40, ...rate, ...ramps })
    buses[`spi${bus}`] = { type: 'spi', path: `/dev/spidev0.${bus}` }
    devices.push({ name: `inputs-${bus}`, driver: 'mcp3008', bus: `spi${bus}`, ...rate, ...ramps })
  }
  for (let line = 1; line <= 4; line++) {
    buses[`rs485${line}`] = { type: 'serial', baud: 115_200 }
    for (let unit = 1; unit <= 4; unit++) devices.push({ ...slavePlan(unit, `rs485${line}`), everyMs: 100 })
    buses[`plc${line}`] = { type: 'tcp' }
    devices.push({ ...slavePlan(1, `plc${line}`, 'modbus-tcp'), everyMs: 100 })
  }
  return { buses, devices }
}

async function costOf(plan: RigPlan, say: (line: string) => void): Promise<{ cost: Cost; perSecond: number }> {
  const rig = await HardwareRig.start(plan)
  try {
    await rig.wellFrom()
    say(`${rig.devices.length} devices are well; measuring for ${MEASURE_MS / 1000} s`)
    await sleep(SETTLE_MS)
    const total = async () => {
      const metrics = await rig.metrics()
      return rig.devices.reduce((sum, { name }) => sum + metrics.readings(name), 0)
    }
    const { pid } = rig.hub
    const before = await total()
    const [startedMs, ticks] = [performance.now(), ticksOf(pid)]
    await sleep(MEASURE_MS)
    const seconds = (performance.now() - startedMs) / 1000
    const share = (ticksOf(pid) - ticks) / TICKS_PER_SECOND / seconds
    const perSecond = ((await total()) - before) / seconds
    const residentMb = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
    return { cost: { share, residentMb }, perSecond }
  } finally {
    await rig.close()
  }
}

/** User and system time of all threads (proc(5), fields 14 and 15). */
function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}
