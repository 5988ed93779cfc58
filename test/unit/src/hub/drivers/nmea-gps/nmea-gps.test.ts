import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { QUALITY } from '#core/model/quality'
import { type DecodedReading, isFault } from '#src/hub/drivers/contract/decoded'
import type { Fault } from '#src/hub/drivers/contract/fault'
import { driver } from '#src/hub/drivers/nmea-gps/driver'
import { GPS_CHANNELS, type GpsChannel } from '#src/hub/drivers/nmea-gps/gps-channels'
import { writeSentence } from '#src/hub/drivers/nmea-gps/sentence'
import { optionsOf } from '#test/support/driver-options'
import { framesOf } from '#test/support/frames'

const OPTIONS = optionsOf(driver, { utc_time: true })
const RMC = '$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A\r\n'
const GGA = '$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n'

function hear(...texts: (string | Buffer)[]): { readings: DecodedReading[]; faults: Fault[]; skipped: number } {
  const decoder = driver.decoder(OPTIONS)
  const chunks = texts.map((text) => Buffer.from(text as string, 'latin1'))
  const { frames, skipped } = framesOf(driver.framer(OPTIONS), chunks)
  const decoded = frames.map((frame) => decoder.decode(frame))
  const faults = decoded.filter((one): one is Fault => isFault(one))
  return { readings: decoded.flatMap((one) => (isFault(one) ? [] : one)), faults, skipped }
}

/** Whole sentences with their checksums. */
const say = (...bodies: string[]) => Buffer.concat(bodies.map(writeSentence))

function value(reading: DecodedReading, channel: GpsChannel): number {
  return reading.values[GPS_CHANNELS.findIndex(({ name }) => name === channel)]
}

function near(actual: number, expected: number, within = 1e-9): void {
  assert.ok(Math.abs(actual - expected) <= within, `${actual} is not ${expected}`)
}

describe('a satellite receiver', () => {
  it('gives the golden position, speed, altitude and time of RMC and GGA as one reading', () => {
    const { readings, faults } = hear(RMC, GGA, say('GPRMC,123520,A,4807.038,N,01131.000,E,022.4,084.4,230394,,'))
    assert.deepEqual(faults, [])
    assert.equal(readings.length, 1)
    const [reading] = readings
    near(value(reading, 'latitude'), 48 + 7.038 / 60)
    near(value(reading, 'longitude'), 11 + 31 / 60)
    near(value(reading, 'speed'), 11.5235556, 1e-6)
    assert.equal(value(reading, 'course'), 84.4)
    assert.equal(value(reading, 'altitude'), 545.4)
    assert.equal(value(reading, 'satellites'), 8)
    assert.equal(value(reading, 'hdop'), 0.9)
    assert.equal(value(reading, 'fix_quality'), 1)
    assert.equal(value(reading, 'utc_time'), Date.UTC(1994, 2, 23, 12, 35, 19) / 1000)
    assert.ok(Number.isNaN(value(reading, 'pdop')), 'what no sentence said was not measured')
    assert.equal(reading.ageUs, 1_000_000, 'it was told by the first sentence of the next second')
  })

  it('reads south and west, halves of seconds, and all talkers', () => {
    for (const talker of ['GP', 'GN', 'GL', 'GA', 'GB']) {
      const at = (time: string) => `${talker}RMC,${time},A,3351.5,S,15112.75,W,,,010120,,`
      const { readings } = hear(say(at('000000.50'), at('000001.00')))
      near(value(readings[0], 'latitude'), -(33 + 51.5 / 60))
      near(value(readings[0], 'longitude'), -(151 + 12.75 / 60))
      assert.equal(value(readings[0], 'utc_time'), Date.UTC(2020, 0, 1) / 1000 + 0.5)
      assert.equal(readings[0].ageUs, 500_000)
    }
  })

  it('learns the last sentence of an instant, and then does not wait for the next instant', () => {
    const gsa = 'GNGSA,A,3,01,02,,,,,,,,,,,2.5,1.3,2.1'
    const cycle = (second: number) => [
      `GNRMC,12000${second},A,4807.0,N,01131.0,E,1.0,,010120,,`,
      gsa,
      gsa,
      'GNVTG,10.0,T,,M,2.0,N,3.7,K,A',
      gsa,
    ]
    const bodies = [...cycle(0), ...cycle(1), ...cycle(2)]
    const { readings } = hear(say(...bodies))
    assert.equal(readings.length, 3)
    assert.deepEqual(
      readings.map(({ ageUs }) => ageUs),
      [1_000_000, 0, 0],
    )
    assert.equal(value(readings[2], 'vdop'), 2.1)
    near(value(readings[2], 'speed'), (2 * 1852) / 3600)
    const cut = hear(say(...cycle(0), ...cycle(1).slice(0, 3), ...cycle(2), ...cycle(3)))
    assert.deepEqual(cut.readings.map(({ ageUs }) => ageUs).length, 4, 'one for each instant, a lost sentence or not')
  })

  it('has no position without a fix, whatever the sentences repeat', () => {
    const rest = '4807.038,N,01131.000,E,022.4,084.4,230394,,'
    const void_ = hear(say(`GPRMC,123519,V,${rest}`, `GPRMC,123520,V,${rest}`)).readings[0]
    const gga = 'GPGGA,123519,4807.038,N,01131.000,E,0,00,99.9,545.4,M,46.9,M,,'
    const none = hear(say(`GPRMC,123519,A,${rest}`, gga, `GPRMC,123520,A,${rest}`)).readings[0]
    const gsa = 'GPGSA,A,1,,,,,,,,,,,,,99.9,99.9,99.9'
    const lost = hear(say(`GPRMC,123519,A,${rest}`, gsa, `GPRMC,123520,A,${rest}`)).readings[0]
    for (const reading of [void_, none, lost]) {
      for (const channel of ['latitude', 'longitude', 'altitude', 'speed', 'course', 'utc_time'] as const) {
        assert.ok(Number.isNaN(value(reading, channel)), channel)
      }
    }
    assert.equal(value(none, 'satellites'), 0)
  })

  it('tells of a receiver that knows no time yet', () => {
    const cold = ['GPRMC,,V,,,,,,,,,,N', 'GPGGA,,,,,,0,00,99.99,,,,,,', 'GPGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99']
    const { readings, faults } = hear(say(...cold, ...cold, ...cold))
    assert.deepEqual(faults, [])
    assert.equal(readings.length, 3)
    assert.equal(value(readings[1], 'satellites'), 0)
    assert.ok(Number.isNaN(value(readings[1], 'latitude')))
  })

  it('marks a position that was reckoned on, typed in or simulated', () => {
    const at = (time: string, quality: number) => `GPGGA,${time},4807.0,N,01131.0,E,${quality},08,0.9,545.4,M,,M,,`
    const trusted = (quality: number) => hear(say(at('120000', quality), at('120001', quality))).readings[0].quality
    assert.equal(trusted(1), undefined)
    assert.equal(trusted(4), undefined)
    assert.equal(trusted(6)?.[0], QUALITY.stale)
    assert.equal(trusted(8)?.[0], QUALITY.sentinel)
    assert.equal(trusted(8)?.[7], QUALITY.good, 'the number of satellites is as good as ever')
  })

  it('counts midnight as one second', () => {
    const { readings } = hear(say('GPZDA,235959,31,12,2020,00,00', 'GPZDA,000000,01,01,2021,00,00'))
    assert.equal(readings[0].ageUs, 1_000_000)
  })

  it('takes sentences of other kinds and makers for nothing at all', () => {
    const others = [
      'PUBX,00,1',
      'GPGSV,1,1,00',
      'GPGLL,4807.0,N,01131.0,E,123519,A',
      'GPTXT,01,01,02,u-blox',
      'HCHDG,1,,,,',
    ]
    assert.deepEqual(hear(say(...others, `PUBX,03,${'x'.repeat(400)}`)), { readings: [], faults: [], skipped: 0 })
    assert.deepEqual(hear('!AIVDM,1,1,,A,14eG;o@034o8sd<L9i:a;WF>062D,0*7D\r\n').faults, [])
  })

  it('names a wrong checksum, a cut sentence, an endless one, and fields that cannot be', () => {
    const fault = (text: string | Buffer) => hear(text).faults.map((one) => one.fault)
    assert.deepEqual(fault(RMC.replace('*6A', '*6B')), ['crc'])
    assert.deepEqual(fault(RMC.replace('4807', '4808')), ['crc'])
    assert.deepEqual(fault('$GPRMC,1235\r\n'), ['short'])
    assert.deepEqual(fault(`$GPRMC,123519,A,48${GGA}`), ['short'], 'the sentence after it is whole')
    assert.deepEqual(fault(`$${'A'.repeat(2000)}\r\n${GGA}`), ['decode'])
    assert.deepEqual(fault(say('GPRMC,123519,A,4860.0,N,01131.0,E,,,230394,,')), ['decode'])
    assert.deepEqual(fault(say('GPRMC,123519,A,4807.0,N,18131.0,E,,,230394,,')), ['decode'])
    assert.deepEqual(fault(say('GPRMC,126019,A,4807.0,N,01131.0,E,,,230394,,')), ['decode'])
    assert.deepEqual(fault(say('GPRMC,123519,A,4807.0,N,01131.0,E,,,310294,,')), ['decode'])
    assert.deepEqual(fault(say('GPGGA,123519,4807.0,N,01131.0,E,1,x,,,M')), ['decode'])
    assert.deepEqual(fault(say('GPRMC,123519')), ['decode'])
    assert.match(hear('$GPRMC,1235\r\n').faults[0].message, /cut: "\$GPRMC,1235"/)
  })

  it('counts what is no sentence', () => {
    const { skipped, faults } = hear('noise\r\n', RMC, '\0\xff')
    assert.equal(skipped, 7)
    assert.deepEqual(faults, [])
  })

  it('sends its start commands with their checksums', () => {
    const options = optionsOf(driver, { commands: ['PMTK220,200'] })
    assert.deepEqual(driver.startCommands?.(options).map(String), ['$PMTK220,200*2C\r\n'])
  })

  it('is silent for five instants before it is given up', () => {
    assert.equal(driver.silenceMs(optionsOf(driver, { rate_hz: 10 })), 3000)
    assert.equal(driver.silenceMs(optionsOf(driver, { rate_hz: 0.1 })), 50_000)
  })
})

describe('a virtual receiver', () => {
  it('talks at its rate, and its sentences read back as what was set', () => {
    const options = optionsOf(driver, { rate_hz: 5 })
    const device = driver.emulate(options)
    assert.equal(device.bus, 'line')
    if (device.bus !== 'line') return
    const heard: Buffer[] = []
    let tick = () => {}
    device.connect(
      (bytes) => heard.push(Buffer.from(bytes)),
      (ms, act) => {
        assert.equal(ms, 200)
        tick = act
        return () => {
          tick = () => {}
        }
      },
    )
    const set: Partial<Record<GpsChannel, number>> = {
      latitude: -33.865143,
      longitude: 151.2099,
      altitude: 12.5,
      speed: 3.5,
      course: 271.25,
      fix_quality: 4,
      satellites: 21,
      pdop: 1.25,
      hdop: 0.75,
      vdop: 1,
      utc_time: Date.UTC(2026, 4, 6, 23, 59, 59, 800) / 1000,
    }
    for (const [channel, number] of Object.entries(set)) device.set(channel, number)
    for (let i = 0; i < 3; i++) tick()
    const { readings, faults } = hear(...heard)
    assert.deepEqual(faults, [])
    assert.equal(readings.length, 3)
    for (const [channel, number] of Object.entries(set)) near(value(readings[0], channel as GpsChannel), number!, 1e-4)
    near(value(readings[0], 'latitude'), -33.865143, 1e-7)
    near(value(readings[2], 'utc_time'), Date.UTC(2026, 4, 7, 0, 0, 0, 200) / 1000, 1e-6)
    device.set('fix_quality', 0)
    heard.length = 0
    tick()
    tick()
    assert.ok(Number.isNaN(value(hear(...heard).readings[0], 'latitude')))
    assert.throws(() => device.set('depth', 1), RangeError)
    device.disconnect()
    heard.length = 0
    tick()
    assert.deepEqual(heard, [])
  })
})
