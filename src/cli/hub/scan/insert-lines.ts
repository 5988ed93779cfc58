/** Adds an entry below a section of a YAML text, and leaves every other character as it is. */
import { isDeepStrictEqual } from 'node:util'
import { isMap, isNode, isPair, isScalar, type Pair, parseDocument, stringify, type YAMLMap } from 'yaml'
import { TelemetryError } from '#core/errors/telemetry-error'
import { isTree } from '#core/options/config-source'

/**
 * The text with `section: { name: value }` in it.
 *
 * @param value of the entry, on one line
 * @throws TLM_OPTIONS_INVALID the name is taken, or the text is written so that it cannot be added without harm
 */
export function insertEntry(text: string, section: string, name: string, value: string): string {
  const document = parseDocument(text)
  const before: unknown = document.toJS() ?? {}
  if (document.errors.length > 0 || !isTree(before)) throw refusal(section, 'it is no YAML of keys and values')
  const entries = before[section] ?? {}
  if (!isTree(entries)) throw refusal(section, `${section} is no list of names`)
  if (Object.hasOwn(entries, name)) throw refusal(section, `there is ${name} below ${section} already`)
  const contents = document.contents
  const pair = isMap(contents)
    ? contents.items.find((one) => isScalar(one.key) && one.key.value === section)
    : undefined
  const entry = `${stringify(name).trim()}: ${value}`
  const after = pair === undefined ? appended(text, section, entry) : inserted(text, pair, entry)
  const expected = { ...before, [section]: { ...entries, [name]: parseDocument(value).toJS() as unknown } }
  // A text that is written in an unusual way must not be broken: then it is the user who adds.
  if (isDeepStrictEqual(parseDocument(after).toJS(), expected)) return after
  throw refusal(section, 'the file is written in a way that cannot be added to without harm')
}

/** Lines that differ, with one line around them; only what {@link insertEntry} does can be told. */
export function addedLines(before: string, after: string): string {
  const [old, now] = [before.split('\n'), after.split('\n')]
  let diff = ''
  let at = 0
  let shown = -1
  for (const [line, text] of now.entries()) {
    if (old[at] === text) {
      at++
      continue
    }
    if (line > 0 && shown < line - 1) diff += `  ${now[line - 1]}\n`
    // A line that was lengthened has an old form, a line that is new has none.
    if (!now.includes(old[at] ?? '')) diff += `- ${old[at++]}\n`
    diff += `+ ${text}\n`
    shown = line
  }
  return diff
}

function appended(text: string, section: string, entry: string): string {
  const end = text === '' || text.endsWith('\n') ? '' : '\n'
  return `${text}${end}${section}:\n  ${entry}\n`
}

function inserted(text: string, { key, value }: Pair, entry: string): string {
  if (isMap(value) && value.flow === true) return intoFlow(text, value, entry)
  if (isMap(value) && value.items.length > 0) {
    const first = value.items[0]!
    const start = isNode(first.key) ? first.key.range![0] : 0
    const indent = start - (text.lastIndexOf('\n', start - 1) + 1)
    return afterLine(text, endOf(value), `${' '.repeat(indent)}${entry}\n`)
  }
  return afterLine(text, isNode(key) ? key.range![1] : 0, `  ${entry}\n`)
}

function intoFlow(text: string, map: YAMLMap, entry: string): string {
  const close = map.range![1] - 1
  const isEmpty = map.items.length === 0
  const head = text.slice(0, close).trimEnd()
  return `${head}${isEmpty ? ' ' : head.endsWith(',') ? ' ' : ', '}${entry} ${text.slice(close)}`
}

/** Where the last value of a block ends. */
function endOf(node: unknown): number {
  if (isMap(node) && node.flow !== true && node.items.length > 0) {
    const last = node.items.at(-1)!
    return last.value === null && isNode(last.key) ? last.key.range![1] : endOf(last.value)
  }
  if (isPair(node)) return endOf(node.value)
  return isNode(node) ? node.range![1] : 0
}

function afterLine(text: string, offset: number, line: string): string {
  if (offset > 0 && text[offset - 1] === '\n') return text.slice(0, offset) + line + text.slice(offset)
  const end = text.indexOf('\n', offset)
  return end === -1 ? `${text}\n${line}` : text.slice(0, end + 1) + line + text.slice(end + 1)
}

function refusal(section: string, why: string): TelemetryError {
  return new TelemetryError(
    'TLM_OPTIONS_INVALID',
    `Nothing was added below ${section}: ${why}. Paste the lines by hand.`,
  )
}
