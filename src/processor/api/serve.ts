import type { FastifyInstance } from 'fastify'
import { TelemetryError } from '#core/errors/telemetry-error'
import { createHttpServer, listen } from '../../host/http-server.js'
import type { Logger } from '../../host/logger.js'
import { DEFAULT_PROCESSOR_PORT, type ProcessorSettings } from '../config/processor-options.js'

/** Ports tried after the default one. */
const FURTHER_PORTS = 99
/** A thousand ids of dead letters. */
const MAX_BODY_BYTES = 65_536

export interface Served {
  server: FastifyInstance
  url: string
}

/**
 * Listens on the port that was asked for, or on the default one. When nobody asked and the default one is in use, as it
 * is by the first of several processors of one host, takes the next that is free.
 *
 * @throws TLM_PORT_IN_USE, TLM_OPTIONS_INVALID
 */
export async function serve(
  { host, port, token }: ProcessorSettings['http'],
  log: Logger,
  addRoutes: (server: FastifyInstance) => void,
): Promise<Served> {
  const first = port ?? DEFAULT_PROCESSOR_PORT
  const last = port ?? DEFAULT_PROCESSOR_PORT + FURTHER_PORTS
  for (let candidate = first; ; candidate++) {
    const options = { host, port: candidate, maxBodyBytes: MAX_BODY_BYTES, ...(token !== undefined && { token }) }
    const server = createHttpServer(options, log)
    addRoutes(server)
    try {
      const bound = await listen(server, options)
      if (port === undefined && candidate !== first) {
        log.warn({ port: bound }, `port ${first} is in use: listening on ${bound} instead`)
      }
      return { server, url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}` }
    } catch (error) {
      await server.close()
      const isTaken = error instanceof TelemetryError && error.code === 'TLM_PORT_IN_USE'
      if (!isTaken || candidate >= last) throw error
    }
  }
}
