import { parseDecimal } from './decimal.js'

/** How a line of text holds its fields. */
export type LineFormat = 'csv' | 'whitespace' | 'key-value' | 'json' | 'plotter' | 'regex'

/** Looks a field up by name: text, number, or `undefined` when the line has none of it. */
export type FieldLookup = (name: string) => string | number | undefined

const QUOTED = /\s*"((?:[^"]|"")*)"/y

/** Fields by position; a double quote opens a quoted field, two of them within stand for one (RFC 4180, one line). */
export function splitCsv(line: string, separator: string): string[] {
  if (!line.includes('"')) return line.split(separator).map((field) => field.trim())
  const fields: string[] = []
  let at = 0
  while (at <= line.length) {
    QUOTED.lastIndex = at
    const quoted = QUOTED.exec(line)
    const end = line.indexOf(separator, quoted === null ? at : QUOTED.lastIndex)
    const stop = end === -1 ? line.length : end
    fields.push(quoted === null ? line.slice(at, stop).trim() : quoted[1].replaceAll('""', '"'))
    at = stop + separator.length
  }
  return fields
}

export function splitWhitespace(line: string): string[] {
  return line.trim().split(/\s+/)
}

const PAIR = /([A-Za-z_][\w.-]{0,63})\s*[=:]\s*("[^"]*"|[^\s,;]+)/g

/** The pairs of `t=20.1 h=50`, also `t:20.1,h:50`; `undefined` when the line holds none. The last of a name counts. */
export function readPairs(line: string): Map<string, string> | undefined {
  const pairs = new Map<string, string>()
  for (const [, key, value] of line.matchAll(PAIR)) pairs.set(key, value.replaceAll('"', ''))
  return pairs.size === 0 ? undefined : pairs
}

/**
 * The values of a line for the Arduino plotter: `a:1,b:2`, with tabs or blanks in place of commas; names may have blanks
 * where commas or tabs part them. Values without a name are `value_1`, `value_2` by position; `undefined`: there is none.
 */
export function readPlotter(line: string): Map<string, string> | undefined {
  const values = new Map<string, string>()
  const parts = /[,\t]/.test(line) ? line.split(/[,\t]/) : line.split(/\s+/)
  parts.forEach((part, at) => {
    const colon = part.lastIndexOf(':')
    const value = part.slice(colon + 1).trim()
    const name = colon === -1 ? '' : part.slice(0, colon).trim()
    if (parseDecimal(value) !== undefined) values.set(name === '' ? `value_${at + 1}` : name, value)
  })
  return values.size === 0 ? undefined : values
}

/** The numbers and texts of a JSON object by dotted path (`bme.temperature`), four levels deep; else `undefined`. */
export function readJson(line: string): Map<string, string | number> | undefined {
  let root: unknown
  try {
    root = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof root !== 'object' || root === null || Array.isArray(root)) return undefined
  const fields = new Map<string, string | number>()
  collect(root, '', 4, fields)
  return fields
}

function collect(node: object, prefix: string, depth: number, into: Map<string, string | number>): void {
  for (const [key, value] of Object.entries(node)) {
    const path = prefix === '' ? key : `${prefix}.${key}`
    if (typeof value === 'number' || typeof value === 'string') into.set(path, value)
    else if (typeof value === 'object' && value !== null && depth > 1) collect(value, path, depth - 1, into)
  }
}
