/** `GET /buses/:name/trace`: what passes over a bus, or to and from one device, as it happens. NDJSON. */
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { BusRegistry } from '../buses/bus-registry.js'
import type { DeviceConfig } from '../config/driver-schemas.js'
import { type HexTransaction, hexOf, hexTransaction, isoOf } from '../devices/hex-transaction.js'
import type { Acquisition, BusTransaction, HubObserver } from '../devices/observation.js'
import type { Fault } from '../drivers/contract/fault.js'

/** Of one listener that reads too slowly; then lines are left out, and counted. */
const MAX_WAITING_BYTES = 2 ** 20
const MAX_LISTENERS = 8
/** An empty line now and then, so that nobody takes a quiet bus for a dead connection. Milliseconds. */
const IDLE_MS = 15_000

/** One line of a trace. */
export type TraceLine =
  | { readonly kind: 'start'; readonly bus: string; readonly devices: readonly string[] }
  | ({ readonly kind: 'transaction' } & HexTransaction)
  /** Of a device that talks by itself. */
  | {
      readonly kind: 'frame'
      readonly at: string
      readonly device: string
      readonly bytes: string
      readonly fault?: Fault
    }
  /** So many were left out, as this listener reads too slowly. */
  | { readonly kind: 'lost'; readonly count: number }

export interface TraceContext {
  readonly buses: BusRegistry
  readonly devices: Readonly<Record<string, DeviceConfig>>
}

/** The listeners of traces. Nothing is watched while there are none. */
export class Traces {
  readonly #context: TraceContext
  readonly #open = new Set<Trace>()

  constructor(context: TraceContext) {
    this.#context = context
  }

  addRoute(server: FastifyInstance): void {
    server.get<{ Params: { name: string } }>(
      '/buses/:name/trace',
      { exposeHeadRoute: false },
      async (request, reply) => {
        const { name } = request.params
        const target = this.#target(name)
        if (target === undefined) {
          const known = [...new Set(this.#places().flatMap(({ device, bus }) => [bus, device]))].join(', ') || 'none'
          return reply.code(404).send({ error: `There is no bus or device ${name} to trace. There are: ${known}.` })
        }
        if (this.#open.size >= MAX_LISTENERS) {
          return reply.code(503).send({ error: `${MAX_LISTENERS} traces run already: end one.` })
        }
        const trace = new Trace(target, this.#context.buses.observation.add.bind(this.#context.buses.observation))
        this.#open.add(trace)
        trace.stream.once('close', () => this.#open.delete(trace))
        request.raw.once('close', () => trace.end())
        return reply.type('application/x-ndjson').header('cache-control', 'no-store').send(trace.stream)
      },
    )
  }

  /** Ends all. */
  close(): void {
    for (const trace of this.#open) trace.end()
  }

  #target(name: string): Target | undefined {
    const places = this.#places()
    const there = places.filter(({ device, bus }) => device === name || bus === name)
    if (there.length === 0) return undefined
    const devices = new Set(there.map(({ device }) => device))
    const talkers = new Set(there.filter(({ talks }) => talks).map(({ device }) => device))
    return { bus: there[0]!.bus, devices, talkers }
  }

  #places() {
    return Object.entries(this.#context.devices).flatMap(([device, { driver, place }]) =>
      place === undefined ? [] : [{ device, bus: place.bus.name || device, talks: driver.kind === 'stream' }],
    )
  }
}

interface Target {
  readonly bus: string
  readonly devices: ReadonlySet<string>
  readonly talkers: ReadonlySet<string>
}

class Trace implements HubObserver {
  readonly stream = new Readable({ read: () => {} })
  readonly #target: Target
  #lost = 0

  constructor(target: Target, observe: (observer: HubObserver) => () => void) {
    this.#target = target
    const stop = observe(this)
    const idle = setInterval(() => {
      if (this.stream.readableLength === 0) this.stream.push('\n')
    }, IDLE_MS)
    idle.unref()
    this.stream.once('close', () => {
      stop()
      clearInterval(idle)
    })
    this.#push({ kind: 'start', bus: target.bus, devices: [...target.devices] })
  }

  end(): void {
    if (!this.stream.destroyed && !this.stream.readableEnded) this.stream.push(null)
    this.stream.once('end', () => this.stream.destroy())
  }

  transaction(transaction: BusTransaction): void {
    if (this.#target.devices.has(transaction.device)) {
      this.#push({ kind: 'transaction', ...hexTransaction(transaction) })
    }
  }

  acquisition({ device, takenAtUs, raw, fault }: Acquisition): void {
    if (!this.#target.talkers.has(device)) return
    const rest = fault === undefined ? {} : { fault }
    this.#push({ kind: 'frame', at: isoOf(takenAtUs), device, bytes: hexOf(raw), ...rest })
  }

  #push(line: TraceLine): void {
    const { stream } = this
    if (stream.destroyed || stream.readableEnded) return
    if (stream.readableLength > MAX_WAITING_BYTES) {
      this.#lost++
      return
    }
    if (this.#lost > 0) {
      stream.push(`${JSON.stringify({ kind: 'lost', count: this.#lost } satisfies TraceLine)}\n`)
      this.#lost = 0
    }
    stream.push(`${JSON.stringify(line)}\n`)
  }
}
