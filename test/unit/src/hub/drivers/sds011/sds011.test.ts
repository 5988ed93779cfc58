import assert from 'node:assert/strict'
import { test } from 'node:test'
import { QUALITY } from '#core/model/quality'
import { isFault } from '#src/hub/drivers/contract/decoded'
import { driver } from '#src/hub/drivers/sds011/driver'
import { optionsOf } from '#test/support/driver-rig'
import { framesOf } from '#test/support/frames'

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
const GOLDEN = 'aa c0 d4 04 3a 0a a1 60 1d ab'

function hear(hex: string, raw: object = { warm_up_readings: 0 }) {
  const options = optionsOf(driver, raw)
  const decoder = driver.decoder(options)
  const { frames, skipped } = framesOf(driver.framer(options), [bytes(hex)])
  return { decoded: frames.map((frame) => decoder.decode(frame)), skipped }
}

test('golden frames give their concentrations', () => {
  const vectors = [
    [GOLDEN, [123.6, 261.8]],
    ['aa c0 00 00 00 00 a1 60 01 ab', [0, 0]],
    ['aa c0 0f 27 0f 27 00 01 6d ab', [999.9, 999.9]],
  ] as const
  for (const [frame, values] of vectors) {
    const quality = [QUALITY.good, QUALITY.good]
    assert.deepEqual(hear(frame).decoded, [[{ ageUs: 0, values, quality }]], frame)
  }
})

test('commands are those of the protocol', () => {
  const hex = (commands: readonly Uint8Array[] | undefined) => commands?.map((one) => Buffer.from(one).toString('hex'))
  const zeros = '00'.repeat(10)
  assert.deepEqual(hex(driver.startCommands?.(optionsOf(driver, { period_minutes: 1 }))), [
    `aab4060101${zeros}ffff06ab`,
    `aab4020100${zeros}ffff01ab`,
    `aab4080101${zeros}ffff08ab`,
  ])
  assert.deepEqual(hex(driver.stopCommands?.(optionsOf(driver))), [`aab4060100${zeros}ffff05ab`])
  assert.deepEqual(driver.stopCommands?.(optionsOf(driver, { sleep_when_stopped: false })), [])
})

test('the first half minute is warming, and with a period every reading is good', () => {
  const qualities = (raw: object) =>
    hear(GOLDEN.repeat(31), raw).decoded.map((one) => (isFault(one) ? undefined : one[0].quality?.[0]))
  assert.deepEqual(qualities({}), [...new Array(30).fill(QUALITY.warming), QUALITY.good])
  assert.ok(qualities({ period_minutes: 5 }).every((quality) => quality === QUALITY.good))
})

test('each kind of bad frame is named', () => {
  const fault = (hex: string, raw?: object) => {
    const [decoded] = hear(hex, raw).decoded
    return isFault(decoded) && decoded.fault
  }
  assert.equal(fault(GOLDEN.replace('d4', 'd5')), 'crc')
  assert.equal(fault(GOLDEN, { device_id: 'A161' }), 'wrong_source')
  assert.deepEqual(hear(GOLDEN, { device_id: 'a160' }).decoded.length, 1)
  const decoded = driver.decoder(optionsOf(driver)).decode(bytes('aa c0'))
  assert.ok(isFault(decoded) && decoded.fault === 'short')
  assert.throws(() => optionsOf(driver, { device_id: 'lab' }), /four hexadecimal digits/)
})

test('answers to commands give nothing, and a frame without its end is skipped', () => {
  assert.deepEqual(hear('aa c5 08 01 00 00 a1 60 0a ab').decoded, [[]])
  const { decoded, skipped } = hear(`00 ${GOLDEN.replace('ab', 'ac')} ${GOLDEN}`)
  assert.equal(decoded.length, 1)
  assert.equal(skipped, 11)
})

test('it may be silent for its period and the half minute of its work', () => {
  assert.equal(driver.silenceMs(optionsOf(driver)), 5000)
  assert.equal(driver.silenceMs(optionsOf(driver, { period_minutes: 5 })), 335_000)
})

test('a virtual sensor is woken, talks at its period, and sleeps when it is stopped', () => {
  const options = optionsOf(driver, { period_minutes: 2, device_id: '0A0B' })
  const device = driver.emulate(options)
  assert.ok(device.bus === 'line')
  const heard: Buffer[] = []
  const timers: { ms: number; act: () => void; isOn: boolean }[] = []
  device.connect(
    (sent) => heard.push(Buffer.from(sent)),
    (ms, act) => {
      const timer = { ms, act, isOn: true }
      timers.push(timer)
      return () => {
        timer.isOn = false
      }
    },
  )
  const tick = () => timers.filter(({ isOn }) => isOn).map(({ act }) => act())
  for (const command of driver.stopCommands!(options)) device.receive(command)
  tick()
  assert.equal(heard.filter((frame) => frame[1] === 0xc0).length, 0, 'it sleeps')
  // Cut in the middle of a command, as lines do.
  const commands = Buffer.concat(driver.startCommands!(options))
  device.receive(commands.subarray(0, 25))
  device.receive(commands.subarray(25))
  assert.deepEqual(
    timers.filter(({ isOn }) => isOn).map(({ ms }) => ms),
    [120_000],
  )
  device.set('pm2_5', 7.24)
  device.set('pm10', 12)
  heard.length = 0
  tick()
  const [decoded] = hear(Buffer.concat(heard).toString('hex'), { device_id: '0A0B' }).decoded
  assert.ok(!isFault(decoded))
  assert.deepEqual(decoded[0].values, [7.2, 12])
  assert.throws(() => device.set('pm1', 1), RangeError)
  device.disconnect()
  assert.deepEqual(
    timers.filter(({ isOn }) => isOn),
    [],
  )
})
