/**
 * A program under the shim that makes calls of the unmodified packages: `bus-calls.js '[["i2c", 1, "readByte", 118, 208]]'`.
 * Prints a JSON list of what each gave: `{ value }`, or `{ errno, code }` of its error. Calls run one after the other,
 * those of a nested list all at once.
 */
// @ts-expect-error the package has no types
import { openPromisified } from 'i2c-bus'
import spi from 'spi-device'

type Call = readonly [kind: 'i2c', bus: number, method: string, ...args: number[]] | SpiCall
type SpiCall = readonly [kind: 'spi', device: string, frames: readonly number[][]]
type Outcome = { value: unknown } | { errno: number | undefined; code: string | undefined }

const steps = JSON.parse(process.argv[2]) as (Call | Call[])[]
const outcomes: Outcome[] = []
for (const step of steps) {
  const calls = (Array.isArray(step[0]) ? step : [step]) as Call[]
  outcomes.push(...(await Promise.all(calls.map(outcomeOf))))
}
console.log(JSON.stringify(outcomes))

async function outcomeOf(call: Call): Promise<Outcome> {
  try {
    return { value: await (call[0] === 'i2c' ? i2cCall(call) : spiCall(call)) }
  } catch (error) {
    const { errno, code } = error as NodeJS.ErrnoException
    return { errno, code }
  }
}

/** Reads give the list of bytes; their last argument is how many. */
async function i2cCall([, number, method, ...args]: Exclude<Call, SpiCall>): Promise<unknown> {
  const bus = await openPromisified(number)
  try {
    const call = (bus as unknown as Record<string, (...all: unknown[]) => Promise<unknown>>)[method].bind(bus)
    if (method === 'i2cWrite') {
      const [address, ...bytes] = args
      return await call(address, bytes.length, Buffer.from(bytes)).then(() => 'written')
    }
    if (method === 'i2cRead' || method === 'readI2cBlock') {
      const buffer = Buffer.alloc(args.at(-1)!)
      await call(...args, buffer)
      return [...buffer]
    }
    return await call(...args)
  } finally {
    await bus.close()
  }
}

/** Chip select rises after each frame. */
function spiCall([, path, frames]: SpiCall): Promise<number[][]> {
  const [bus, chip] = path.split('.').map(Number)
  return new Promise((resolve, reject) => {
    const device = spi.open(bus!, chip!, { mode: 0, maxSpeedHz: 1_000_000 }, (failure) => {
      if (failure) return reject(failure)
      const message = frames.map((frame) => ({
        byteLength: frame.length,
        sendBuffer: Buffer.from(frame),
        receiveBuffer: Buffer.alloc(frame.length),
        chipSelectChange: true,
      }))
      device.transfer(message, (error, done) => {
        device.close(() => {})
        if (error) reject(error)
        else resolve(done.map(({ receiveBuffer }) => [...(receiveBuffer ?? [])]))
      })
    })
  })
}
