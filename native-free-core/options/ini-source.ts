import { type ConfigProblem, type ConfigSource, type ConfigTree, isTree, originLookup } from './config-source.js'

/** What a key of the seed's section-less files is called today. */
export type IniAliases = Readonly<Record<string, readonly string[]>>

/**
 * Reads the seed's INI dialect: keys in any case, `#` and `;` start a comment anywhere outside quotes, `:` is no
 * separator (`queue_name = telemetry:tasks`), dotted sections nest (`[devices.roof]`). Values stay text.
 *
 * Lines that are neither section nor `key = value` are problems, each with its line; the rest is read.
 *
 * @param file name for messages
 * @param aliases section-less keys, lower case, to their path
 * @param sections other names of sections, lower case, to their name, e.g. `device` to `devices`
 */
export function readIni(
  text: string,
  file: string,
  aliases: IniAliases = {},
  sections: Readonly<Record<string, string>> = {},
): ConfigSource {
  const values: ConfigTree = {}
  const origins = new Map<string, string>()
  const problems: ConfigProblem[] = []
  let section: readonly string[] = []
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const origin = `${file}:${index + 1}`
    const line = withoutComment(raw).trim()
    if (line === '') continue
    const header = /^\[\s*([^\]]+?)\s*\]$/.exec(line)
    if (header) {
      const [first, ...parts] = header[1]!.split('.').map((part) => part.trim())
      const name = first!.toLowerCase()
      section = [Object.hasOwn(sections, name) ? sections[name]! : name, ...parts]
      origins.set(section.join('.'), origin)
      continue
    }
    const equals = line.indexOf('=')
    if (equals <= 0) {
      const reason = `"${line.slice(0, 60)}" is neither a [section] nor key = value`
      problems.push({ severity: 'warning', origin, key: '', reason, fix: 'write key = value, or start it with #' })
      continue
    }
    const key = line.slice(0, equals).trim().toLowerCase()
    const path = section.length === 0 ? (aliases[key] ?? [key]) : [...section, key]
    place(values, path, unquoted(line.slice(equals + 1).trim()))
    origins.set(path.join('.'), origin)
  }
  return { values, originOf: originLookup(origins, file), problems, unknownKeys: 'warn' }
}

function withoutComment(line: string): string {
  let quote = ''
  for (let at = 0; at < line.length; at++) {
    const character = line[at]!
    if (quote !== '') {
      if (character === quote) quote = ''
    } else if (character === '"' || character === "'") quote = character
    else if (character === '#' || character === ';') return line.slice(0, at)
  }
  // An unbalanced quote is an apostrophe, not a quotation: then the comment counts after all.
  return quote === '' ? line : line.replace(/[#;].*$/, '')
}

function unquoted(value: string): string {
  const match = /^(["'])(.*)\1$/.exec(value)
  return match ? match[2]! : value
}

/** Sets the value at the path; a section that meets a plain value replaces it. */
export function place(tree: ConfigTree, path: readonly string[], value: unknown): void {
  let node = tree
  for (const part of path.slice(0, -1)) {
    const next = Object.hasOwn(node, part) ? node[part] : undefined
    const child = isTree(next) ? next : {}
    define(node, part, child)
    node = child
  }
  define(node, path.at(-1)!, value)
}

/** An own property even for `__proto__`, which a plain assignment would turn into something else. */
export function define(node: ConfigTree, key: string, value: unknown): void {
  Object.defineProperty(node, key, { value, enumerable: true, writable: true, configurable: true })
}
