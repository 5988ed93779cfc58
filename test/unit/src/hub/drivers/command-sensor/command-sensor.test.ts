import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CommandDevice } from '#src/hub/drivers/command-sensor/command-device'
import { driver } from '#src/hub/drivers/command-sensor/driver'
import { type DecodedReading, isFault } from '#src/hub/drivers/contract/decoded'
import { optionsOf } from '#test/support/driver-options'
import { framesOf } from '#test/support/frames'

/** The virtual device on a line whose clock the test turns. */
function connect(raw: object = {}) {
  const options = optionsOf(driver, { sequence: true, ...raw })
  const device = driver.emulate(options)
  assert.ok(device.bus === 'line')
  let heard = ''
  const timers: { ms: number; act: () => void }[] = []
  device.connect(
    (bytes) => {
      heard += Buffer.from(bytes).toString()
    },
    (ms, act) => {
      const timer = { ms, act }
      timers.push(timer)
      return () => timers.splice(timers.indexOf(timer), 1)
    },
  )
  return {
    device,
    options,
    pace: () => timers.map(({ ms }) => ms),
    tick: () => [...timers].map(({ act }) => act()),
    say(text: string | Uint8Array) {
      heard = ''
      device.receive(Buffer.from(text as string))
      return heard
    },
    take() {
      const text = heard
      heard = ''
      return text
    },
  }
}

function decode(text: string, raw: object = {}) {
  const options = optionsOf(driver, { sequence: true, ...raw })
  const decoder = driver.decoder(options)
  const { frames } = framesOf(driver.framer(options), [Buffer.from(text, 'latin1')])
  return frames.map((frame) => decoder.decode(frame))
}

describe('the commands of the first TelemetryHub', () => {
  it('are answered to the letter', () => {
    const { say } = connect()
    assert.equal(say('GET_STATUS\n'), 'STATUS: Idle, Seq=0\n')
    assert.equal(say('CALIBRATE\n'), 'ERROR: Device not measuring\n')
    assert.equal(say('SET_RATE=250\n'), 'OK: Rate set to 250 ms\n')
    assert.equal(say('SET_RATE=9\n'), 'ERROR: Rate must be 10-10000 ms\n')
    assert.equal(say('SET_RATE=10001\n'), 'ERROR: Rate must be 10-10000 ms\n')
    assert.equal(say('SET_RATE=-5\n'), 'ERROR: Rate must be 10-10000 ms\n')
    assert.equal(say('SET_RATE=fast\n'), 'ERROR: Invalid rate value\n')
    assert.equal(say('SET_RATE=\n'), 'ERROR: Invalid rate value\n')
    assert.equal(say('\n'), 'ERROR: Empty command\n')
    assert.equal(say('  \r\n'), 'ERROR: Empty command\n')
    assert.equal(say('get_status\n'), 'ERROR: Unknown command\n')
    assert.equal(say('RESET\n'), 'OK: Reset to Idle\n')
    say('START\n')
    assert.equal(say('  CALIBRATE \r\n'), 'OK: Calibrated\n')
  })

  it('are split by lines, which the original did not do: two at once were one unknown command', () => {
    const { say } = connect()
    assert.equal(say('GET_STATUS\nRESET\n'), 'STATUS: Idle, Seq=0\nOK: Reset to Idle\n')
    assert.equal(say('GET_'), '')
    assert.equal(say('STATUS\n'), 'STATUS: Idle, Seq=0\n')
  })

  it('take a rate only as a whole number, where the original took 100abc', () => {
    assert.equal(connect().say('SET_RATE=100abc\n'), 'ERROR: Invalid rate value\n')
    assert.equal(connect().say('SET_RATE=1e3\n'), 'ERROR: Invalid rate value\n')
  })

  it('set the rate at which samples come, which the original stored and never read', () => {
    const { say, pace } = connect()
    assert.deepEqual(pace(), [])
    say('START\n')
    assert.deepEqual(pace(), [100])
    say('SET_RATE=20\n')
    assert.deepEqual(pace(), [20])
    say('RESET\n')
    assert.deepEqual(pace(), [])
  })

  it('zero the sequence when it calibrates, and reset from any state', () => {
    const { say, tick, take } = connect()
    say('START\n')
    tick()
    tick()
    assert.match(take(), /Seq=0\nSAMPLE: .*Seq=1\n/)
    assert.equal(say('GET_STATUS\n'), 'STATUS: Measuring, Seq=2\n')
    say('CALIBRATE\n')
    assert.equal(say('GET_STATUS\n'), 'STATUS: Measuring, Seq=0\n')
    assert.equal(say('RESET\n'), 'OK: Reset to Idle\n')
  })

  it('find a device in its safe state after so many samples, until it is reset', () => {
    const { say, tick, take, pace } = connect({ fault_after_samples: 2 })
    say('START\n')
    tick()
    tick()
    take()
    tick()
    assert.equal(take(), 'STATUS: SafeState, Seq=2\n')
    assert.deepEqual(pace(), [])
    assert.equal(say('START\n'), 'ERROR: Device in SafeState\n')
    assert.equal(say('STOP\n'), 'ERROR: Device in SafeState\n')
    assert.equal(say('CALIBRATE\n'), 'ERROR: Device not measuring\n')
    assert.equal(say('RESET\nSTART\n'), 'OK: Reset to Idle\nOK: Measuring\n')
  })

  it('that are too long are unknown, and the next one is heard', () => {
    assert.equal(connect().say(`${'x'.repeat(100_000)}\n`), 'ERROR: Unknown command\n')
    const { say } = connect()
    say('x'.repeat(5000))
    assert.match(say('\nRESET\n'), /OK: Reset to Idle\n/)
  })

  it('give the original wave: 42 + sin(n / 10) and a little noise', () => {
    const device = new CommandDevice({ faultAfterSamples: 0, seed: 7 })
    device.execute('START')
    let squares = 0
    for (let n = 0; n < 2000; n++) {
      const value = Number(/SAMPLE: (\S+),/.exec(device.sample() ?? '')?.[1])
      squares += (value - 42 - Math.sin(n / 10)) ** 2
    }
    const deviation = Math.sqrt(squares / 2000)
    assert.ok(deviation > 0.09 && deviation < 0.11, String(deviation))
  })
})

describe('the driver that speaks them', () => {
  it('sets the rate, starts, and calibrates and resets when it is told to', () => {
    const commands = (raw: object) => driver.startCommands?.(optionsOf(driver, raw)).map(String)
    assert.deepEqual(commands({}), ['SET_RATE=100\n', 'START\n'])
    const all = { rate_ms: 50, calibrate_on_start: true, reset_on_start: true }
    assert.deepEqual(commands(all), ['RESET\n', 'SET_RATE=50\n', 'START\n', 'CALIBRATE\n'])
    assert.deepEqual(commands({ start: false }), ['SET_RATE=100\n'], 'the original device knows no START')
    assert.deepEqual(driver.stopCommands?.(optionsOf(driver)).map(String), ['STOP\n'])
  })

  it('reads what the virtual device senses', () => {
    const { device, options, say, tick, take } = connect({ rate_ms: 20 })
    for (const command of driver.startCommands!(options)) say(command)
    device.set('value', 12.345678)
    take()
    tick()
    tick()
    assert.deepEqual(decode(take()), [
      [{ ageUs: 0, values: [12.345678, 0] }],
      [{ ageUs: 0, values: [12.345678, 1] }],
    ] satisfies DecodedReading[][])
    assert.throws(() => device.set('pressure', 1), RangeError)
    device.disconnect()
    tick()
    assert.equal(take(), '')
  })

  it('names a refusal, a latched state, and lines that the device never says', () => {
    const kinds = (text: string) =>
      decode(`OK: Measuring\n${text}\n`)
        .slice(1)
        .map((one) => isFault(one) && one.fault)
    assert.deepEqual(kinds('ERROR: Rate must be 10-10000 ms'), ['exception'])
    assert.deepEqual(kinds('STATUS: SafeState, Seq=9'), ['exception'])
    assert.deepEqual(kinds('STATUS: Measuring, Seq=9'), [false])
    assert.deepEqual(kinds('SAMPLE: abc, Seq=1'), ['decode'])
    assert.deepEqual(kinds('SAMPLE: 1.5'), ['decode'])
    assert.deepEqual(kinds('login:'), ['decode'])
    const garbled = decode(`OK: Measuring\n${'\x00\xff\xfe\x80x'.repeat(8)}\n`)[1]
    assert.ok(isFault(garbled) && /wrong baud rate/.test(garbled.message))
  })

  it('tells the number of the sample only when it is asked to', () => {
    assert.deepEqual(decode('SAMPLE: 42.2, Seq=4\n', { sequence: false }), [[{ ageUs: 0, values: [42.2] }]])
    assert.deepEqual(
      driver.channels(optionsOf(driver)).map(({ name }) => name),
      ['value'],
    )
  })

  it('forgives a first line that lost its head', () => {
    assert.deepEqual(decode('E: 42.1, Seq=3\nSAMPLE: 42.2, Seq=4\n'), [[], [{ ageUs: 0, values: [42.2, 4] }]])
  })
})
