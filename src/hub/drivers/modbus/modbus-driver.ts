import { QUALITY } from '#core/model/quality'
import type { Decoded } from '../contract/decoded.js'
import { faultOf } from '../contract/fault.js'
import type { BusKind, Channel } from '../contract/manifest.js'
import type { OptionFields, OptionsOf } from '../contract/option-fields.js'
import { type DriverTools, polledDriver } from '../contract/polled-driver.js'
import type { LinePort } from '../contract/ports.js'
import type { Framing } from './framing.js'
import { answerPduBytes, describeRequest, EXCEPTION_BIT, explainException, FUNCTION_OF, requestPdu } from './pdu.js'
import { holdsBits, type Register, registersField } from './register-map.js'
import { readValue, wordsOf } from './register-value.js'
import { dataBytes, type PlannedRegister, type PlannedRequest, planRequests } from './request-plan.js'
import { VirtualSlave } from './virtual-slave.js'

export interface ModbusKind {
  readonly name: string
  readonly summary: string
  readonly source: string
  readonly buses: readonly BusKind[]
  readonly framing: Framing
  /** Lowest and highest `unit_id`. */
  readonly unitIds: readonly [number, number]
}

function modbusOptions(field: OptionFields, [lowest, highest]: readonly [number, number]) {
  return {
    unit_id: field.integer(lowest, highest).default(1),
    registers: registersField(field),
    max_registers_per_request: field.integer(1, 125).default(125),
    max_hole_registers: field.integer(0, 124).default(0),
    pause_between_requests: field.durationMs(0, 10_000).default(0),
    answer_ms: field.durationMs(0, 10_000).default(10),
    identity: field
      .group({
        holding: field.integer(0, 65_535).optional(),
        input: field.integer(0, 65_535).optional(),
        value: field.integer(0, 65_535),
      })
      .refine(({ holding, input }) => (holding === undefined) !== (input === undefined), 'expected holding or input')
      .optional(),
  }
}

export type ModbusShape = ReturnType<typeof modbusOptions>
export type ModbusOptions = OptionsOf<ModbusShape>
type Identity = NonNullable<ModbusOptions['identity']>

/** A Modbus master that reads the registers it is told, over one kind of framing. */
export function modbusDriver({ framing, unitIds, ...manifest }: ModbusKind) {
  return polledDriver<ModbusShape, LinePort, readonly PlannedRequest[]>({
    kind: 'polled',
    manifest,
    options: (field) => modbusOptions(field, unitIds),
    channels: ({ registers }) => registers.map(channelOf),
    cost(options) {
      const plan = requestsOf(options)
      const bytes = (request: PlannedRequest) => 5 + answerPduBytes(request) + 2 * framing.overheadBytes
      return {
        transactions: plan.map((request) => ({ bytes: bytes(request) })),
        conversionMs: options.pauseBetweenRequests * (plan.length - 1),
        answerMs: options.answerMs * plan.length,
      }
    },
    shortestEveryMs: (options) => Math.max(1, options.pauseBetweenRequests * (requestsOf(options).length - 1)),
    async initialise(port, { unitId, identity }, tools) {
      if (identity !== undefined) await verifyIdentity(framing, port, unitId, identity, tools)
      return new Uint8Array(0)
    },
    /** Who answers is asked each time: a device that is changed between two readings would be read as the one before. */
    async acquire(port, options, tools) {
      const { identity, unitId, pauseBetweenRequests } = options
      if (identity !== undefined) {
        await verifyIdentity(framing, port, unitId, identity, tools)
        if (pauseBetweenRequests > 0) await tools.pause(pauseBetweenRequests)
      }
      const frames: Uint8Array[] = []
      for (const request of planRequests(options.registers, options)) {
        if (frames.length > 0 && options.pauseBetweenRequests > 0) await tools.pause(options.pauseBetweenRequests)
        frames.push(await ask(framing, port, options.unitId, request, tools))
      }
      return Buffer.concat(frames)
    },
    calibration: (_bytes, options) => planRequests(options.registers, options),
    decode(raw, plan, { unitId, registers }, note): Decoded {
      const values = new Array<number>(registers.length).fill(Number.NaN)
      let at = 0
      for (const request of plan) {
        const bytes = answerPduBytes(request) + framing.overheadBytes
        const frame = raw.subarray(at, at + bytes)
        at += bytes
        if (frame.length < bytes) {
          return {
            fault: 'short',
            message: `The answer for ${describeRequest(request)} is cut: look at the recording.`,
          }
        }
        const flaw = framing.flaw(frame, unitId) ?? misfit(framing, frame, request)
        if (flaw !== undefined) return { fault: flaw.fault, message: describe(request, flaw.message) }
        const start = framing.headBytes + 2
        const data = frame.subarray(start, start + dataBytes(request))
        for (const register of request.registers) {
          const value = registerValue(data, request, register)
          const scaled = value * register.scale + register.offset
          values[register.index] = Number.isFinite(scaled) ? scaled : Number.NaN
          note?.(register.channel, values[register.index], `${value} x ${register.scale} + ${register.offset}`)
        }
      }
      if (at !== raw.length) {
        return { fault: 'decode', message: `${raw.length} bytes came for registers of ${at}: look at the registers.` }
      }
      if (!values.some(Number.isNaN)) return [{ ageUs: 0, values }]
      // Floats that are no numbers: so devices say that they measured nothing.
      const quality = values.map((value) => (Number.isNaN(value) ? QUALITY.sentinel : QUALITY.good))
      return [{ ageUs: 0, values, quality }]
    },
    emulate: (options) => new VirtualSlave(options, framing),
  })
}

/** All requests of an acquisition, that for the identity among them. */
function requestsOf(options: ModbusOptions): PlannedRequest[] {
  const { identity, registers } = options
  const plan = planRequests(registers, options)
  return identity === undefined ? plan : [identityRequest(identity), ...plan]
}

function identityRequest({ holding, input = 0 }: Identity): PlannedRequest {
  return holding === undefined
    ? { table: 'input', start: input, count: 1, registers: [] }
    : { table: 'holding', start: holding, count: 1, registers: [] }
}

function channelOf({ channel, quantity, unit, type, scale, offset }: Register): Channel {
  const isBit = type === 'bool' || type === 'bit'
  const isFloat = type === 'f32' || type === 'f64'
  return {
    name: channel,
    quantity,
    unit,
    ...(isFloat ? {} : { resolution: Math.abs(scale) }),
    ...(isBit && scale === 1 && offset === 0 ? { range: [0, 1] as const } : {}),
  }
}

/** One request and its answer, checked. @returns the answer's frame @throws TLM_READ_FAILED */
export async function ask(
  framing: Framing,
  port: LinePort,
  unitId: number,
  request: PlannedRequest,
  tools: DriverTools,
): Promise<Uint8Array> {
  const sent = framing.wrap(unitId, requestPdu(request))
  const search = framing.expect(sent, answerPduBytes(request))
  let bytes: Uint8Array
  try {
    bytes = await port.exchange(sent, search.length)
  } catch (error) {
    const stranger = search.stranger()
    const isMissing = ['timeout', 'short'].includes(faultOf(error))
    if (stranger === undefined || !isMissing) throw error
    throw tools.fault(stranger.fault, describe(request, stranger.message))
  }
  const frame = search.frame(bytes)
  const flaw = framing.flaw(frame, unitId)
  if (flaw !== undefined) throw tools.fault(flaw.fault, describe(request, flaw.message))
  if (frame[framing.headBytes] === (FUNCTION_OF[request.table] | EXCEPTION_BIT)) {
    throw tools.fault('exception', describe(request, explainException(frame[framing.headBytes + 1])))
  }
  const wrong = misfit(framing, frame, request)
  if (wrong !== undefined) throw tools.fault(wrong.fault, describe(request, wrong.message))
  return frame
}

/** A whole frame of the right unit that is no answer to this request. */
function misfit({ headBytes, overheadBytes }: Framing, frame: Uint8Array, request: PlannedRequest) {
  const isAnswer =
    frame.length === answerPduBytes(request) + overheadBytes &&
    frame[headBytes] === FUNCTION_OF[request.table] &&
    frame[headBytes + 1] === dataBytes(request)
  return isAnswer
    ? undefined
    : ({ fault: 'decode', message: 'the answer is to another request: look at the device' } as const)
}

function registerValue(data: Uint8Array, request: PlannedRequest, register: PlannedRegister): number {
  const at = register.address - request.start
  if (holdsBits(register.table)) return (data[at >> 3] >> (at & 7)) & 1
  return readValue(
    data.subarray(at * 2, (at + wordsOf(register.type)) * 2),
    register.type,
    register.order,
    register.bit,
  )
}

async function verifyIdentity(
  framing: Framing,
  port: LinePort,
  unitId: number,
  identity: Identity,
  tools: DriverTools,
): Promise<void> {
  const request = identityRequest(identity)
  const { table, start } = request
  const frame = await ask(framing, port, unitId, request, tools)
  const value = (frame[framing.headBytes + 2] << 8) | frame[framing.headBytes + 3]
  if (value === identity.value) return
  const text = `Unit ${unitId} has ${value} in ${table} register ${start}, not ${identity.value}: another device is there, look at unit_id and the cable.`
  throw tools.fault('identity', text)
}

function describe(request: PlannedRequest, what: string): string {
  return `For ${describeRequest(request)}: ${what}.`
}
