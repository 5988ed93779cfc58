/** The hub that runs with the same configuration, asked over REST. */
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import type { HubOptions } from '../../hub/config/hub-options.js'

/** A hub that does not answer within that time is not there. Milliseconds. */
const ANSWER_MS = 2000

export type HttpPlace = HubOptions['http']

/** Where it listens. An address that stands for all is asked on this machine. */
export function hubUrl({ host, port }: HttpPlace): string {
  const reached = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`
}

/**
 * One request of the hub that runs.
 *
 * @param signal ends it; absent: it ends by itself when no answer begins in time
 * @throws TLM_STREAM_UNAVAILABLE no hub listens there; TLM_OPTIONS_INVALID with what the hub says of the request
 */
export async function askHub(
  http: HttpPlace,
  method: 'GET' | 'POST',
  path: string,
  signal?: AbortSignal,
): Promise<Response> {
  const url = `${hubUrl(http)}${path}`
  const headers: Record<string, string> = http.token === undefined ? {} : { authorization: `Bearer ${http.token}` }
  let response: Response
  try {
    response = await fetch(url, { method, headers, signal: signal ?? AbortSignal.timeout(ANSWER_MS) })
  } catch (error) {
    const fix = 'Start it, or give its configuration with --config, or its --host and --port.'
    const cause = (error as { cause?: { code?: string } }).cause?.code ?? messageOf(error)
    throw new TelemetryError(
      'TLM_STREAM_UNAVAILABLE',
      `No hub answers at ${hubUrl(http)} (${cause}). ${fix}`,
      {},
      error,
    )
  }
  if (response.ok) return response
  const { error } = (await response.json().catch(() => ({}))) as { error?: string }
  throw new TelemetryError('TLM_OPTIONS_INVALID', error ?? `${url} answers ${response.status}.`)
}

/**
 * The same error, with what to do when the device is busy as a hub has it.
 *
 * @param device to name in the advice
 */
export async function explainBusy(error: unknown, http: HttpPlace, device: string): Promise<unknown> {
  if (!(error instanceof TelemetryError) || error.details.fault !== 'busy') return error
  const isRunning = await askHub(http, 'GET', '/status').then(
    () => true,
    () => false,
  )
  const url = hubUrl(http)
  const fix = isRunning
    ? `A hub runs at ${url}: follow what it reads with "hub trace ${device}", or have it let go with "curl -X POST ${url}/stop".`
    : 'If a hub has it, follow that one with "hub trace", or stop it.'
  return new TelemetryError(error.code, `${error.message} ${fix}`, error.details, error)
}
