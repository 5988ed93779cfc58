import { timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'

export interface HttpAccess {
  /** Address the server listens on. */
  host: string
  /** Needed for every request that changes state; absent: such requests are open on loopback. */
  token?: string
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost'])

/** Whether only programs of this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.has(host) || host.startsWith('127.')
}

/**
 * Guards a server against the two ways a browser can be made to speak to it: DNS rebinding (a foreign `Host`) and
 * cross-site requests (a foreign `Origin`); and asks for the bearer token where state changes.
 */
export function createAccessCheck({ host, token }: HttpAccess) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    const named = hostName(request.headers.host)
    if (isLoopback(host) && named !== undefined && !isLoopback(named)) {
      return reply.code(403).send({ error: `Host ${named} is not served here: use 127.0.0.1 or localhost.` })
    }
    if (request.method === 'GET' || request.method === 'HEAD') return undefined
    const { origin } = request.headers
    if (origin !== undefined && hostOf(origin) !== request.headers.host) {
      return reply.code(403).send({ error: 'Requests from other web sites are refused.' })
    }
    if (token !== undefined && !bears(request.headers.authorization, token)) {
      return reply.code(401).send({ error: 'Send the token: Authorization: Bearer <token>.' })
    }
    return undefined
  }
}

function bears(header: string | undefined, token: string): boolean {
  const given = Buffer.from(header ?? '')
  const wanted = Buffer.from(`Bearer ${token}`)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

function hostName(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  return header.startsWith('[') ? header.slice(1, header.indexOf(']')) : header.replace(/:\d+$/, '')
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}
