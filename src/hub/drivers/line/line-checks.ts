import { TelemetryError } from '#core/errors/telemetry-error'
import type { LineOptions } from './line-options.js'

/** What one key cannot say of itself. @throws TLM_OPTIONS_INVALID */
export function checkLineOptions(options: LineOptions): void {
  const { maxLineBytes, delimiter, format, fields, pattern, struct } = options
  if (!Number.isInteger(maxLineBytes) || maxLineBytes < 1 || maxLineBytes > 65_536) {
    throw invalid(`maxLineBytes must be 1..65536, not ${maxLineBytes}.`)
  }
  const delimiterBytes = Buffer.byteLength(delimiter)
  if (delimiterBytes < 1 || delimiterBytes > 8) throw invalid(`delimiter must be 1..8 bytes, not ${delimiterBytes}.`)
  if ((format === 'csv' || format === 'whitespace') && !fields?.length) {
    throw invalid(`Format ${format} needs "fields": the names of a line's fields.`)
  }
  if ((format === 'regex') !== (pattern !== undefined)) throw invalid('Format regex and "pattern" go together.')
  if ((format === 'struct') !== (struct !== undefined)) throw invalid('Format struct and "struct" go together.')
  if (struct !== undefined && !/^(?:[\dA-F]{2}){1,8}$/i.test(struct.start)) {
    throw invalid(
      `start must be the first 1 to 8 bytes of a frame in hexadecimal, such as AA55, not "${struct.start}".`,
    )
  }
}

function invalid(text: string): TelemetryError {
  return new TelemetryError('TLM_OPTIONS_INVALID', text)
}
