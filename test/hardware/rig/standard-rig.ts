/** A rig with a device of each kind on each kind of bus. */
import { LineSensor } from './line-sensor.js'
import type { Ramp } from './rig-device.js'
import type { BusPlan, DevicePlan, RigPlan } from './rig-plan.js'

export const SLAVES = 8

export const STANDARD_BUSES: Readonly<Record<string, BusPlan>> = {
  i2c1: { type: 'i2c', path: '/dev/i2c-1' },
  spi0: { type: 'spi', path: '/dev/spidev0.0' },
  spi1: { type: 'spi', path: '/dev/spidev0.1' },
  rs485: { type: 'serial', baud: 115_200 },
  gps: { type: 'serial', baud: 115_200 },
  board: { type: 'serial', baud: 115_200 },
  plc: { type: 'tcp' },
  kernel: { type: 'file' },
}

function ramp(from: number, step: number, tolerance: number): Ramp {
  return { from, step, tolerance }
}

function climate(celsius: number): Readonly<Record<string, Ramp>> {
  return {
    temperature: ramp(celsius, 0.5, 0.03),
    relative_humidity: ramp(30 + celsius / 10, 1, 0.1),
  }
}

/** Slave 1..8 of a line; each has its own values. */
export function slavePlan(unit: number, bus: string, driver = 'modbus-rtu'): DevicePlan {
  const options = {
    unit_id: unit,
    answer_ms: 2,
    identity: { holding: 100, value: 4000 + unit },
    registers: { voltage: { holding: 0, type: 'u16', scale: 0.01, unit: 'V' } },
  }
  return {
    name: `${bus}-${unit}`,
    driver,
    bus,
    options,
    everyMs: 200,
    timeoutMs: 100,
    ramps: { voltage: ramp(10 * unit, 0.25, 0.006) },
    hasChecksum: driver === 'modbus-rtu',
    impostor: { ...options, identity: { holding: 100, value: 1 } },
  }
}

const ON_BOARD: readonly DevicePlan[] = [
  {
    name: 'roof',
    driver: 'bme280',
    bus: 'i2c1',
    address: 0x76,
    everyMs: 100,
    timeoutMs: 300,
    ramps: { ...climate(10), pressure: ramp(90_000, 100, 5) },
    impostor: { chip: 'bmp280' },
  },
  {
    name: 'cellar',
    driver: 'sht3x',
    bus: 'i2c1',
    address: 0x44,
    everyMs: 100,
    timeoutMs: 300,
    ramps: climate(40),
    hasChecksum: true,
  },
  {
    name: 'engine',
    driver: 'bme280',
    bus: 'spi0',
    everyMs: 100,
    timeoutMs: 300,
    ramps: { ...climate(60), pressure: ramp(100_000, 100, 5) },
    impostor: { chip: 'bmp280' },
  },
  {
    name: 'inputs',
    driver: 'mcp3008',
    bus: 'spi1',
    options: { inputs: '0,7' },
    everyMs: 100,
    timeoutMs: 300,
    ramps: { voltage_0: ramp(0.5, 0.05, 0.004), voltage_7: ramp(2, 0.05, 0.004) },
  },
]

const ON_LINES: readonly DevicePlan[] = [
  ...Array.from({ length: SLAVES }, (_, at) => slavePlan(at + 1, 'rs485')),
  {
    name: 'receiver',
    driver: 'nmea-gps',
    bus: 'gps',
    options: { rate_hz: 10 },
    rateHz: 10,
    ramps: { altitude: ramp(200, 3.5, 0.06), latitude: ramp(48, 0.125, 1e-6), speed: ramp(5, 1, 0.001) },
    hasChecksum: true,
  },
  {
    name: 'arduino',
    driver: 'line',
    bus: 'board',
    rateHz: 10,
    virtual: new LineSensor(['t', 'h']),
    ramps: { t: ramp(-20, 0.5, 0.001), h: ramp(50, 1, 0.001) },
  },
  { ...slavePlan(1, 'plc', 'modbus-tcp'), everyMs: 100, timeoutMs: 300 },
]

const IN_FILES: readonly DevicePlan[] = [
  {
    name: 'boiler',
    driver: 'linux-iio',
    bus: 'kernel',
    options: { chip: 'tmp117', inputs: 'temp' },
    everyMs: 250,
    ramps: { temp: ramp(70, 0.5, 0.006) },
  },
  {
    name: 'soc',
    driver: 'hwmon',
    bus: 'kernel',
    options: { chip: 'cpu_thermal', inputs: 'temp1' },
    everyMs: 250,
    ramps: { temp1: ramp(50, 0.5, 0.002) },
  },
]

export function standardRig(retryMaxMs: number): RigPlan {
  return { buses: STANDARD_BUSES, devices: [...ON_BOARD, ...ON_LINES, ...IN_FILES], retryMaxMs }
}
