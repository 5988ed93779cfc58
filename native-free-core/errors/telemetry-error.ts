import { ERROR_CODES, type ErrorCode, type ErrorCodeEntry } from './codes.js'

/** The one error class. Match on `code`, never on class or text: a structured clone keeps neither class nor code. */
export class TelemetryError extends Error {
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'TelemetryError'
    this.code = code
    this.details = details
  }

  get entry(): ErrorCodeEntry {
    return ERROR_CODES[this.code]
  }
}

/** An error as plain data, fit to cross threads. */
export interface PortableError {
  code: ErrorCode
  message: string
  details: Readonly<Record<string, unknown>>
}

/** Turns anything thrown into plain data; foreign errors become `fallback`. Never throws. */
export function toPortableError(error: unknown, fallback: ErrorCode = 'TLM_INVARIANT_BROKEN'): PortableError {
  if (error instanceof TelemetryError) return { code: error.code, message: error.message, details: error.details }
  return { code: fallback, message: messageOf(error), details: {} }
}

export function fromPortableError(error: PortableError): TelemetryError {
  return new TelemetryError(error.code, error.message, error.details)
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
