import { type DriverTools, polledDriver } from '../contract/polled-driver.js'
import type { SpiPort } from '../contract/ports.js'
import { answerFault, channelsOf, decode } from './decode.js'
import { FRAME_BYTES, frameOf, type Mcp3008Options, mcp3008Shape } from './mcp3008-frames.js'
import { VirtualMcp3008 } from './virtual-mcp3008.js'

/** What both chips can do at every supply: an MCP3208 at 2.7 V (DS21298, section 1); an MCP3008 at 5 V could 3.6 MHz. */
const MAX_CLOCK_HZ = 1_000_000

/** All inputs in one transaction; chip select rises between two, which is what starts a conversion. */
async function acquire(port: SpiPort, options: Mcp3008Options, tools: DriverTools): Promise<Uint8Array> {
  const answers = await port.transfer(options.inputs.map((input) => frameOf(input, options)))
  const raw = Uint8Array.from(answers.flatMap((answer) => Array.from(answer)))
  const found = answerFault(raw, options)
  if (found) throw tools.fault(found.fault, found.message)
  return raw
}

export const driver = polledDriver({
  kind: 'polled',
  manifest: {
    name: 'mcp3008',
    summary: 'eight voltages, or four differences: Microchip MCP3008 in 10 bits, MCP3208 in 12',
    source: 'Microchip DS21295 (MCP3004/3008) and DS21298 (MCP3204/3208), sections 5 and 6',
    buses: ['spi'],
    maxClockHz: MAX_CLOCK_HZ,
    probe: { rule: 'the bit before the code is 0', isCertain: false },
  },
  options: mcp3008Shape,
  channels: channelsOf,
  cost: ({ inputs }) => ({ transactions: [{ bytes: FRAME_BYTES * inputs.length }], conversionMs: 0 }),
  shortestEveryMs: ({ inputs }) => (8 * FRAME_BYTES * inputs.length * 1000) / MAX_CLOCK_HZ,
  /** There is nothing to set up: one acquisition shows whether something answers. */
  async initialise(port: SpiPort, options, tools) {
    await acquire(port, options, tools)
    return new Uint8Array(0)
  },
  acquire: (port: SpiPort, options, tools) => acquire(port, options, tools),
  calibration: () => undefined,
  decode: (raw, _calibration, options, note) => decode(raw, options, note),
  emulate: (options) => new VirtualMcp3008(options),
})
