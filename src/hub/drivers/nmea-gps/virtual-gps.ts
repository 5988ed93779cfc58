import type { VirtualLineDevice } from '../contract/virtual-device.js'
import { GPS_CHANNELS, type GpsChannel, MPS_PER_KNOT } from './gps-channels.js'
import { writeSentence } from './sentence.js'

/** A receiver with a good fix in Munich. */
const AT_START: Readonly<Record<Exclude<GpsChannel, 'utc_time'>, number>> = {
  latitude: 48.1173,
  longitude: 11.516667,
  altitude: 545.4,
  speed: 0,
  course: 84.4,
  fix_quality: 1,
  fix_dimension: 3,
  satellites: 8,
  pdop: 1.8,
  hdop: 0.9,
  vdop: 1.5,
}

/** A receiver that sends RMC, GGA, GSA, VTG and ZDA of each instant, at its rate. It hears nothing. */
export class VirtualGps implements VirtualLineDevice {
  readonly bus = 'line'
  readonly #intervalMs: number
  #senses: Record<string, number> = { ...AT_START }
  #timeMs = Date.now()
  #send: ((bytes: Uint8Array) => void) | undefined
  #stop: (() => void) | undefined

  constructor(rateHz: number) {
    this.#intervalMs = 1000 / rateHz
  }

  set(channel: string, value: number): void {
    if (!GPS_CHANNELS.some(({ name }) => name === channel)) throw new RangeError(`there is no channel ${channel}`)
    if (channel === 'utc_time') this.#timeMs = value * 1000
    else this.#senses[channel] = value
  }

  powerCycle(): void {
    this.#senses = { ...AT_START }
  }

  connect(send: (bytes: Uint8Array) => void, every: (ms: number, act: () => void) => () => void): void {
    this.#send = send
    this.#stop = every(this.#intervalMs, () => this.#tell())
  }

  disconnect(): void {
    this.#stop?.()
    this.#send = undefined
  }

  receive(): void {}

  #tell(): void {
    const { latitude, longitude, altitude, speed, course, hdop, pdop, vdop, ...fix } = this.#senses
    const date = new Date(this.#timeMs).toISOString()
    const [year, month, day] = date.slice(0, 10).split('-')
    const time = date.slice(11, 22).replaceAll(':', '')
    const hasFix = fix.fix_quality !== 0
    const place = hasFix ? `${angle(latitude, 2, 'NS')},${angle(longitude, 3, 'EW')}` : ',,,'
    const knots = hasFix ? (speed / MPS_PER_KNOT).toFixed(4) : ''
    const track = hasFix ? course.toFixed(2) : ''
    const height = hasFix ? altitude.toFixed(1) : ''
    const status = hasFix ? 'A' : 'V'
    const dimension = hasFix ? fix.fix_dimension : 1
    const used = String(fix.satellites).padStart(2, '0')
    const dilutions = [pdop, hdop, vdop].map((value) => value.toFixed(2)).join(',')
    const bodies = [
      `GNRMC,${time},${status},${place},${knots},${track},${day}${month}${year.slice(2)},,,A`,
      `GNGGA,${time},${place},${fix.fix_quality},${used},${hdop.toFixed(2)},${height},M,46.9,M,,`,
      `GNGSA,A,${dimension},01,02,03,04,05,06,07,08,,,,,${dilutions}`,
      `GNVTG,${track},T,,M,${knots},N,,K,A`,
      `GNZDA,${time},${day},${month},${year},00,00`,
    ]
    this.#timeMs += this.#intervalMs
    this.#send?.(Buffer.concat(bodies.map(writeSentence)))
  }
}

/** `ddmm.mmmmmm,N` */
function angle(degrees: number, digits: number, [positive, negative]: string): string {
  const whole = Math.floor(Math.abs(degrees) + 1e-12)
  const minutes = Math.min(59.999_999, Math.max(0, (Math.abs(degrees) - whole) * 60))
  const text = String(whole).padStart(digits, '0') + minutes.toFixed(6).padStart(9, '0')
  return `${text},${degrees < 0 ? negative : positive}`
}
