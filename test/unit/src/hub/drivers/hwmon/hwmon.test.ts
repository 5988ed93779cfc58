import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isFault } from '#src/hub/drivers/contract/decoded'
import { readFault } from '#src/hub/drivers/contract/fault'
import { driver } from '#src/hub/drivers/hwmon/driver'
import { filePort } from '#test/support/virtual-ports'

const tools = { pause: async () => {}, fault: readFault }
const inputs = ['temp1', 'in0', 'curr1', 'power1', 'fan1', 'humidity1']

describe('the driver of hwmon', () => {
  it('gives each kind of input in its unit', async () => {
    const chip = driver.emulate({ inputs }, 'file')
    assert.ok(chip.bus === 'file')
    const port = filePort(chip)
    const files = {
      temp1: '48312',
      in0: '5061',
      curr1: '1250',
      power1: '6326250',
      fan1: '1200',
      humidity1: '45300',
    } as Record<string, string>
    const given = {
      ...port,
      read: async (path: string) => files[/(\w+)_input$/.exec(path)?.[1] ?? ''] ?? port.read(path),
    }
    const setup = await driver.initialise(given, { inputs }, tools)
    const raw = await driver.acquire(given, { inputs }, tools, setup)
    const decoded = driver.decode(raw, driver.calibration(setup, { inputs }, readFault), { inputs })
    assert.ok(!isFault(decoded))
    assert.deepEqual(
      Array.from(decoded[0]!.values, (value) => Number(value.toFixed(9))),
      [48.312, 5.061, 1.25, 6.32625, 1200, 45.3],
    )
    assert.deepEqual(
      driver.channels({ inputs }).map(({ unit }) => unit),
      ['Cel', 'V', 'A', 'W', '/min', '%'],
    )
  })

  it('names the inputs that there are', async () => {
    const chip = driver.emulate({ inputs: ['temp1'] }, 'file')
    assert.ok(chip.bus === 'file')
    await assert.rejects(driver.initialise(filePort(chip), { inputs: ['temp2'] }, tools), {
      details: { fault: 'setup' },
      message: /no input temp2; it has temp1\./,
    })
  })

  it('calls a file that shrank a fault of kind decode', () => {
    const setup = Buffer.from(
      JSON.stringify({ folder: 'x', inputs: [{ name: 'temp1', file: 'temp1_input', offset: 0, scale: 1 }] }),
    )
    const found = driver.calibration(setup, { inputs: ['temp1'] }, readFault)
    const decoded = driver.decode(Buffer.from(''), found, { inputs: ['temp1'] })
    assert.ok(isFault(decoded))
    assert.equal(decoded.fault, 'decode')
  })
})
