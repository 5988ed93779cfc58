import fastify, { type FastifyInstance } from 'fastify'
import { TelemetryError } from '#core/errors/telemetry-error'
import { createAccessCheck, type HttpAccess } from './http-access.js'
import type { Logger } from './logger.js'

export interface HttpServerOptions extends HttpAccess {
  /** 0 takes any free port. */
  port: number
  /** Largest request body in bytes. */
  maxBodyBytes: number
}

/** A fastify server with our access rules and error bodies, without routes yet. */
export function createHttpServer(options: HttpServerOptions, log: Logger): FastifyInstance {
  const server = fastify({
    bodyLimit: options.maxBodyBytes,
    requestTimeout: 10_000,
    // A keep-alive connection must not hold up the end of the program.
    forceCloseConnections: true,
    exposeHeadRoutes: false,
  })
  server.addHook('onRequest', createAccessCheck(options))
  server.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: `No ${request.method} ${request.url.slice(0, 100)} here.` }),
  )
  server.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error instanceof TelemetryError ? error.entry.http : (error.statusCode ?? 500)
    if (status >= 500) log.error({ err: error, url: request.url }, 'request failed')
    return reply.code(status).send({ error: error.message })
  })
  return server
}

/**
 * Listens.
 *
 * @returns the port that was bound
 * @throws TLM_PORT_IN_USE, TLM_OPTIONS_INVALID (an address that is not of this machine, a port without permission)
 */
export async function listen(server: FastifyInstance, { host, port }: HttpServerOptions): Promise<number> {
  try {
    const url = await server.listen({ host, port })
    return Number(new URL(url).port)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const where = `${host}:${port}`
    if (code === 'EADDRINUSE') {
      const fix = `Stop the program that uses it (ss -ltnp 'sport = :${port}'), or choose another with --port.`
      throw new TelemetryError(
        'TLM_PORT_IN_USE',
        `${where} is in use by another program. ${fix}`,
        { host, port },
        error,
      )
    }
    const reason = code === 'EACCES' ? 'needs root' : `cannot be bound (${code})`
    const message = `${where} ${reason}. Choose an address of this machine and a port from 1024 up.`
    throw new TelemetryError('TLM_OPTIONS_INVALID', message, { host, port }, error)
  }
}
