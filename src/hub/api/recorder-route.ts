/** `POST /recorder/dump`: the flight recorder into a file of the hub's machine. */
import type { FastifyInstance } from 'fastify'
import { messageOf } from '#core/errors/telemetry-error'
import type { FlightRecorder } from '../recorder/flight-recorder.js'

/** @param recorder absent: it is off */
export function addRecorderRoute(server: FastifyInstance, recorder: FlightRecorder | undefined): void {
  server.post('/recorder/dump', async (_, reply) => {
    if (recorder === undefined) {
      const fix = 'Set recorder.keep in its configuration, e.g. recorder: { keep: 10min }, and start it again.'
      return reply.code(404).send({ error: `The flight recorder of this hub is off. ${fix}` })
    }
    try {
      return await recorder.dump()
    } catch (error) {
      return reply.code(507).send({ error: `The recording cannot be written: ${messageOf(error)}.` })
    }
  })
}
