/** `POST /telemetry`: readings that somebody pushes, one or a list, in the seed's or the load scripts' shape. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import { type ParsedReading, parseReading } from '#core/codec/task-json'
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import type { Clock } from '#core/time/clock'
import type { PushedReadings } from '../intake/pushed-readings.js'

/** Readings of one request. */
const MAX_READINGS = 1000
/** Suggested to a client whose readings found no room: the rings empty in less when the store is well. */
const RETRY_AFTER_SECONDS = 1
/** A client that asks to wait until its readings are stored waits no longer, whatever it asks for. */
const MAX_WAIT_MS = 30_000

export interface TelemetryRouteContext {
  /** `undefined` once the hub is stopping. */
  readings(): PushedReadings | undefined
  clock: Clock
}

export function addTelemetryRoute(server: FastifyInstance, context: TelemetryRouteContext): void {
  server.register(async (scope) => {
    // The body is read as it comes: what is wrong with it gets one answer, whatever its content type says.
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'string' }, (_, body, done) => done(null, body))
    addRoute(scope, context)
  })
}

function addRoute(server: FastifyInstance, { readings, clock }: TelemetryRouteContext): void {
  server.post('/telemetry', async (request, reply) => {
    const sink = readings()
    if (sink === undefined) return unavailable(reply, 'The hub is stopping.')
    const body = typeof request.body === 'string' ? request.body.trim() : ''
    if (body === '') return refuse(reply, sink, 400, 'Empty request body')
    let json: unknown
    try {
      json = JSON.parse(body)
    } catch (error) {
      return refuse(reply, sink, 400, `The body is not JSON: ${messageOf(error)}`)
    }
    const given = Array.isArray(json) ? json : [json]
    if (given.length === 0) return refuse(reply, sink, 400, 'The list of readings is empty.')
    if (given.length > MAX_READINGS) {
      return refuse(reply, sink, 413, `At most ${MAX_READINGS} readings in one request, got ${given.length}.`)
    }
    const parsed = parseAll(given, clock.nowUs())
    if (typeof parsed === 'string') return refuse(reply, sink, 422, parsed, given.length)
    const outcome = sink.push(parsed)
    switch (outcome.kind) {
      case 'taken': {
        const waitMs = preferredWaitMs(request.headers.prefer)
        const isStored = waitMs > 0 && (await outcome.stored(AbortSignal.timeout(waitMs)))
        const message = isStored ? 'Telemetry stored' : 'Telemetry received'
        return reply.code(isStored ? 200 : 202).send({ ok: true, message, accepted: outcome.samples })
      }
      case 'invalid':
        return reply.code(422).send({ error: place(given, outcome.index, outcome.message) })
      case 'pressed':
        return unavailable(reply, 'The processors are behind: readings of this priority are not taken now, retry later')
      default:
        return unavailable(reply, 'Server overloaded, retry later')
    }
  })
}

/** `wait=N` seconds of a Prefer header (RFC 7240, 4.3), in milliseconds; 0 when it does not ask to wait. */
function preferredWaitMs(prefer: string | string[] | undefined): number {
  const seconds = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})/i.exec(String(prefer ?? ''))?.[1]
  return Math.min(MAX_WAIT_MS, Number(seconds ?? 0) * 1000)
}

function parseAll(given: readonly unknown[], nowUs: number): ParsedReading[] | string {
  const parsed: ParsedReading[] = []
  for (const [index, reading] of given.entries()) {
    try {
      parsed.push(parseReading(reading, nowUs))
    } catch (error) {
      if (!(error instanceof TelemetryError)) throw error
      return place(given, index, error.message)
    }
  }
  return parsed
}

/** Says which reading of a list is meant. */
function place(given: readonly unknown[], index: number, message: string): string {
  return given.length === 1 ? message : `reading ${index}: ${message}`
}

function refuse(reply: FastifyReply, sink: PushedReadings, status: 400 | 413 | 422, error: string, count = 1) {
  sink.reject('reading_invalid', count)
  return reply.code(status).send({ error })
}

function unavailable(reply: FastifyReply, error: string) {
  return reply.code(503).header('retry-after', RETRY_AFTER_SECONDS).send({ error })
}
