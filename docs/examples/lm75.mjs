/** Temperature sensor LM75: a complete driver in a file of its own, see docs/writing-drivers.md. */

/** Registers (datasheet SNIS153, table 2). */
const TEMPERATURE = 0
const CONFIGURATION = 1
const HYSTERESIS = 2
/** What the hysteresis register holds after power came: 75 °C. The chip has no id; this is the best there is. */
const HYSTERESIS_RESET = 0x4b00

const toWord = ([high, low]) => (high << 8) | low

function deadBus(hysteresis) {
  if (hysteresis !== 0 && hysteresis !== 0xffff) return undefined
  return { fault: 'io', message: 'Nothing drives the data line: check the wiring, the pull-ups and the address.' }
}

export const driver = {
  kind: 'polled',
  manifest: {
    name: 'lm75',
    summary: 'temperature: Texas Instruments LM75 and its many copies',
    source: 'Texas Instruments SNIS153, sections 7.5 and 7.6',
    buses: ['i2c'],
    addresses: [0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f],
    maxClockHz: 400_000,
    probe: { rule: 'register 2 reads 0x4B00 after power came', isCertain: false },
  },
  options: (field) => ({
    /** Bits of the result: 9 for the LM75B, 11 for the LM75A of NXP. */
    resolution: field.integer(9, 12).default(9),
  }),
  channels: ({ resolution }) => [
    {
      name: 'temperature',
      quantity: 'temperature',
      unit: 'Cel',
      range: [-55, 125],
      resolution: 2 ** (8 - resolution),
    },
  ],
  // Twice: the address byte, the register, the address again and two bytes of answer.
  cost: () => ({ transactions: [{ bytes: 5 }, { bytes: 5 }], conversionMs: 0 }),
  // It converts by itself, every 100 ms.
  shortestEveryMs: () => 100,

  async initialise(port, _options, tools) {
    const found = deadBus(toWord(await port.writeRead(Uint8Array.of(HYSTERESIS), 2)))
    if (found) throw tools.fault(found.fault, found.message)
    await port.write(Uint8Array.of(CONFIGURATION, 0))
    return new Uint8Array(0)
  },
  // The hysteresis comes along: 0 °C alone could not be told from a line that hangs low.
  async acquire(port) {
    const hysteresis = await port.writeRead(Uint8Array.of(HYSTERESIS), 2)
    return Uint8Array.of(...hysteresis, ...(await port.writeRead(Uint8Array.of(TEMPERATURE), 2)))
  },

  calibration: () => undefined,
  decode(raw, _calibration, { resolution }, note) {
    if (raw.length !== 4) return { fault: 'short', message: `${raw.length} of 4 bytes came: check the wiring.` }
    const found = deadBus(toWord(raw))
    if (found) return found
    const word = toWord(raw.subarray(2))
    const unused = 16 - resolution
    const value = ((word << 16) >> (16 + unused)) * 2 ** (8 - resolution)
    note?.('register 0', word)
    note?.('temperature', value, `signed, its upper ${resolution} bits × ${2 ** (8 - resolution)}`)
    return [{ ageUs: 0, values: [value] }]
  },

  emulate({ resolution }) {
    const registers = { [TEMPERATURE]: 0, [CONFIGURATION]: 0, [HYSTERESIS]: HYSTERESIS_RESET }
    let pointer = TEMPERATURE
    return {
      bus: 'i2c',
      set(channel, value) {
        if (channel !== 'temperature') throw new RangeError(`There is no channel ${channel}.`)
        const unused = 16 - resolution
        registers[TEMPERATURE] = (Math.round(value / 2 ** (8 - resolution)) << unused) & 0xffff
      },
      powerCycle() {
        registers[CONFIGURATION] = 0
        pointer = TEMPERATURE
      },
      write([register, ...values]) {
        if (register !== undefined) pointer = register & 3
        if (values.length > 0) registers[pointer] = values.reduce((word, byte) => (word << 8) | byte, 0)
        return values.length + (register === undefined ? 0 : 1)
      },
      read(count) {
        const word = registers[pointer] ?? 0
        return Uint8Array.from({ length: count }, (_, at) => (at % 2 === 0 ? word >> 8 : word & 0xff))
      },
    }
  },
}
