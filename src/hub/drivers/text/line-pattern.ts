import { createContext, Script } from 'node:vm'
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import { readFault } from '../contract/fault.js'

/** Longest time that one line may keep the hub's main thread; ample, as a busy machine lets any thread wait. */
const LIMIT_MS = 100
/** Below so many steps in the worst case (some ms) a line is matched without a guard. */
const CHEAP_STEPS = 1e6
const MAX_SLOW_LINES = 3
const MAX_EMPTY_CHOICES = 8

/** What a line gave: its named groups, nothing, or too much work. */
export type LineMatch = Readonly<Record<string, string | undefined>> | undefined | 'too-slow'

/**
 * A regular expression with named groups, of which no line can hang the hub: where the pattern's worst case over the line
 * is not cheap, the match is run under a time limit.
 *
 * Cost: below 1 us, under the limit some 100 us more, as that takes a thread of its own.
 */
export class LinePattern {
  /** Names of the groups, in their order. */
  readonly groups: readonly string[]
  readonly #pattern: RegExp
  readonly #degree: number
  readonly #guarded: { readonly script: Script; readonly context: { pattern: RegExp; line: string } }
  #slowLines = 0

  /** @throws TLM_OPTIONS_INVALID no regular expression, or one without named groups */
  constructor(source: string) {
    try {
      this.#pattern = new RegExp(source)
    } catch (error) {
      throw new TelemetryError('TLM_OPTIONS_INVALID', `pattern is no regular expression: ${messageOf(error)}.`)
    }
    // Before the first match, which compiles it.
    const { degree, emptyChoices } = patternCost(source)
    if (emptyChoices > MAX_EMPTY_CHOICES) {
      const text = `pattern has ${emptyChoices} choices without a character, at most ${MAX_EMPTY_CHOICES} may be: write (a)? for (a|).`
      throw new TelemetryError('TLM_OPTIONS_INVALID', text)
    }
    this.#degree = degree
    // The empty alternative is tried first and matches: every group is there, without a value, and nothing was searched.
    this.groups = Object.keys(new RegExp(`|${source}`).exec('')?.groups ?? {})
    if (this.groups.length === 0) {
      const text = 'pattern needs named groups, such as T=(?<temperature>[-.0-9]+): each is a field of the line.'
      throw new TelemetryError('TLM_OPTIONS_INVALID', text)
    }
    this.#guarded = { script: new Script('pattern.exec(line)'), context: { pattern: this.#pattern, line: '' } }
    createContext(this.#guarded.context)
  }

  /** @throws TLM_READ_FAILED (`setup`) when three lines in a row took too long: the pattern has to be mended */
  match(line: string): LineMatch {
    // Two more than the length: choices between nothing and nothing need no characters.
    if ((line.length + 2) ** this.#degree <= CHEAP_STEPS) return this.#pattern.exec(line)?.groups
    this.#guarded.context.line = line
    try {
      const found = this.#guarded.script.runInContext(this.#guarded.context, {
        timeout: LIMIT_MS,
      }) as RegExpExecArray | null
      this.#slowLines = 0
      return found?.groups
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
      if (++this.#slowLines < MAX_SLOW_LINES) return 'too-slow'
      this.#slowLines = 0
      const text = `pattern took over ${LIMIT_MS} ms for each of ${MAX_SLOW_LINES} lines: anchor it with ^, and leave no repetition within another.`
      throw readFault('setup', text)
    }
  }
}

/** How hard a pattern can be on the one that matches it. */
export interface PatternCost {
  /**
   * A match takes at most the line's length to this power; infinite when repetitions are nested, or look-around and back
   * references make it hard to tell. The search for a beginning counts as one.
   */
  readonly degree: number
  /** Alternatives without a character, as in `(a|)` and `(^|$)`: some twenty in a row take the engine seconds to compile. */
  readonly emptyChoices: number
}

interface OpenGroup {
  hasChoice: boolean
  hasBar: boolean
  /** Of the alternative at hand. */
  isEmpty: boolean
}

export function patternCost(source: string): PatternCost {
  let degree = 1
  let emptyChoices = 0
  const groups: OpenGroup[] = [{ hasChoice: false, hasBar: false, isEmpty: true }]
  let closedWithChoice = false
  for (let at = 0; at < source.length; at++) {
    const rest = source.slice(at)
    const group = groups.at(-1) ?? { hasChoice: false, hasBar: false, isEmpty: true }
    const isAfterChoice = closedWithChoice
    closedWithChoice = false
    const choice = /^(?:[*+?]|\{\d*,?\d*\})\??|^\|/.exec(rest)?.[0]
    if (choice !== undefined) {
      degree += choice !== '|' && isAfterChoice ? Number.POSITIVE_INFINITY : 1
      group.hasChoice = true
      if (choice === '|') {
        if (group.isEmpty) emptyChoices++
        Object.assign(group, { hasBar: true, isEmpty: true })
      }
      at += choice.length - 1
    } else if (source[at] === '(') {
      if (/^\(\?(?:[=!]|<[=!])/.test(rest)) degree = Number.POSITIVE_INFINITY
      at += (/^\((?:\?:|\?<[^>]*>)?/.exec(rest)?.[0].length ?? 1) - 1
      groups.push({ hasChoice: false, hasBar: false, isEmpty: true })
    } else if (source[at] === ')') {
      closedWithChoice = group.hasChoice
      if (group.hasBar && group.isEmpty) emptyChoices++
      groups.pop()
      const outer = groups.at(-1)
      if (outer !== undefined) Object.assign(outer, { hasChoice: outer.hasChoice || group.hasChoice, isEmpty: false })
    } else {
      if (/^\\[1-9k]/.test(rest)) degree = Number.POSITIVE_INFINITY
      const atom = /^\\.|^\[(?:\\.|[^\]\\])*\]|^./s.exec(rest)?.[0] ?? ''
      if (!['^', '$', '\\b', '\\B'].includes(atom)) group.isEmpty = false
      at += atom.length - 1
    }
  }
  if (groups[0]?.hasBar && groups[0].isEmpty) emptyChoices++
  return { degree, emptyChoices }
}
