import assert from 'node:assert/strict'
import { test } from 'node:test'
import { consoleAnswer } from '#src/device-simulator/device-console'
import { readSimulatorOptions } from '#src/device-simulator/simulator-options'
import { CommandDevice } from '#src/hub/drivers/command-sensor/command-device'

test('the console starts, samples and stops, and hands all else to the device', () => {
  const device = new CommandDevice({ faultAfterSamples: 1, seed: 1 })
  const say = (line: string) => consoleAnswer(device, line)
  assert.equal(say('sample'), 'no sample: the device is Idle')
  assert.equal(say('start'), 'OK: Measuring')
  assert.match(say('sample') ?? '', /^SAMPLE: \d+\.\d+, Seq=0$/)
  assert.equal(say('sample'), 'STATUS: SafeState, Seq=1')
  assert.equal(say('RESET'), 'OK: Reset to Idle')
  assert.equal(say('Quit'), 'ERROR: Unknown command')
  assert.match(say('help') ?? '', /SET_RATE/)
  assert.equal(say('quit'), undefined)
  assert.equal(say('exit'), undefined)
})

test('flags that cannot be are refused with what may be', () => {
  assert.deepEqual(readSimulatorOptions(['--fault-after', '10']), {
    isHelp: false,
    faultAfterSamples: 10,
    seed: 1,
    tcpPort: undefined,
  })
  assert.throws(() => readSimulatorOptions(['--tcp', '70000']), /--tcp must be a whole number from 0 to 65535/)
  assert.throws(() => readSimulatorOptions(['--seed', 'x']), /--seed/)
  assert.throws(() => readSimulatorOptions(['--rate', '1']), /--rate.*--help/)
})
