import type { z } from 'zod'
import { type ConfigProblem, type ConfigSource, type ConfigTree, isTree } from './config-source.js'
import { didYouMean } from './did-you-mean.js'
import { define } from './ini-source.js'

export interface OptionsResult<T> {
  /** Absent when a problem is an error. */
  options?: T
  problems: ConfigProblem[]
}

/**
 * Lays the sources over each other (the first one wins, key by key) and checks the outcome once. All problems are
 * reported together, each with the place where the value was written.
 *
 * @param schema strict objects of `options/fields`, with their defaults
 */
export function readOptions<Schema extends z.ZodType>(
  schema: Schema,
  sources: readonly ConfigSource[],
): OptionsResult<z.output<Schema>> {
  const problems = sources.flatMap((source) => source.problems)
  const merged: ConfigTree = {}
  for (const source of sources.toReversed()) overlay(merged, source.values)
  // Each round removes the unknown keys that only warn; what is left is checked again without them.
  for (;;) {
    const parsed = schema.safeParse(merged, { reportInput: true })
    if (parsed.success) return conclude<z.output<Schema>>(problems, parsed.data)
    const found = parsed.error.issues.flatMap((issue) => describe(issue as z.core.$ZodIssue, schema, sources))
    const ignorable = found.filter((problem) => problem.severity === 'warning')
    problems.push(...ignorable.map(withoutPath))
    if (ignorable.length === 0) return conclude<z.output<Schema>>([...problems, ...found.map(withoutPath)], undefined)
    for (const { path } of ignorable) remove(merged, path)
  }
}

interface LocatedProblem extends ConfigProblem {
  path: readonly string[]
}

function conclude<T>(problems: ConfigProblem[], options: T | undefined): OptionsResult<T> {
  return problems.some(({ severity }) => severity === 'error') || options === undefined
    ? { problems }
    : { options, problems }
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodType, sources: readonly ConfigSource[]): LocatedProblem[] {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, path)
    return issue.keys.map((key) => unknownKey([...path, key], known, sources))
  }
  const source = sourceOf(path, sources)
  const input = isTree(issue.input) && issue.code === 'invalid_union' ? issue.input[path.at(-1)!] : issue.input
  const missing = input === undefined
  const origin = source?.originOf(path) ?? 'options'
  const { fix: ownFix } = (issue.code === 'custom' ? issue.params : undefined) ?? {}
  if (typeof ownFix === 'string') {
    return [{ severity: 'error', origin, key: path.join('.'), reason: issue.message, fix: ownFix, path }]
  }
  const reason = missing ? `missing, ${issue.message}` : `${issue.message}, got ${show(input, path)}`
  const fix = missing ? `add ${path.at(-1)}` : 'write a value of that kind'
  return [{ severity: 'error', origin, key: path.join('.'), reason, fix, path }]
}

function unknownKey(path: string[], known: readonly string[], sources: readonly ConfigSource[]): LocatedProblem {
  const source = sourceOf(path, sources)
  const near = didYouMean(path.at(-1)!, known)
  const fix = near ? `did you mean ${near}?` : `remove it; known here: ${known.join(', ') || 'nothing'}`
  const severity = source?.unknownKeys === 'warn' ? 'warning' : 'error'
  return {
    severity,
    origin: source?.originOf(path) ?? 'options',
    key: path.join('.'),
    reason: 'unknown key',
    fix,
    path,
  }
}

/** Values of secrets never reach a message. */
function show(value: unknown, path: readonly string[]): string {
  if (/password|token|secret/i.test(path.at(-1) ?? '')) return '(hidden)'
  return JSON.stringify(value)?.slice(0, 60) ?? String(value)
}

function sourceOf(path: readonly string[], sources: readonly ConfigSource[]): ConfigSource | undefined {
  for (let length = path.length; length > 0; length--) {
    const found = sources.find((source) => has(source.values, path.slice(0, length)))
    if (found) return found
  }
  return undefined
}

function has(tree: ConfigTree, path: readonly string[]): boolean {
  let node: unknown = tree
  for (const part of path) {
    if (Array.isArray(node)) node = node[Number(part)]
    else if (isTree(node) && Object.hasOwn(node, part)) node = node[part]
    else return false
  }
  return true
}

function overlay(below: ConfigTree, above: ConfigTree): void {
  for (const [key, value] of Object.entries(above)) {
    const present = Object.hasOwn(below, key) ? below[key] : undefined
    if (isTree(value)) {
      const child = isTree(present) ? present : {}
      define(below, key, child)
      overlay(child, value)
    } else define(below, key, structuredClone(value))
  }
}

function remove(tree: ConfigTree, path: readonly string[]): void {
  let node: unknown = tree
  for (const part of path.slice(0, -1)) node = isTree(node) ? node[part] : undefined
  if (isTree(node)) delete node[path.at(-1)!]
}

/** The keys that the schema knows at the path, looking through defaults, records, lists and unions. */
function keysAt(schema: z.ZodType, path: readonly string[]): string[] {
  let nodes = objectsOf(schema)
  for (const part of path) nodes = nodes.flatMap((node) => step(node, part)).flatMap(objectsOf)
  return [...new Set(nodes.flatMap((node) => Object.keys((node as z.ZodObject).shape ?? {})))]
}

function objectsOf(schema: z.core.$ZodType): z.core.$ZodType[] {
  const def = schema._zod.def as z.core.$ZodTypeDef & {
    innerType?: z.core.$ZodType
    in?: z.core.$ZodType
    out?: z.core.$ZodType
    options?: readonly z.core.$ZodType[]
  }
  if (def.innerType) return objectsOf(def.innerType)
  // Objects stand before a transform, and behind a preprocess.
  if (def.type === 'pipe' && def.in && def.out) return [...objectsOf(def.in), ...objectsOf(def.out)]
  if (def.type === 'union' && def.options) return def.options.flatMap(objectsOf)
  return [schema]
}

function step(schema: z.core.$ZodType, part: string): z.core.$ZodType[] {
  const def = schema._zod.def as z.core.$ZodTypeDef & {
    shape?: Record<string, z.core.$ZodType>
    valueType?: z.core.$ZodType
    element?: z.core.$ZodType
  }
  const next = def.shape?.[part] ?? def.valueType ?? def.element
  return next ? [next] : []
}

function withoutPath({ path: _, ...problem }: LocatedProblem): ConfigProblem {
  return problem
}
