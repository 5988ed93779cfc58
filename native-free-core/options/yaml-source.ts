import { isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { type ConfigProblem, type ConfigSource, isTree, originLookup } from './config-source.js'

/**
 * Reads YAML 1.2. Syntax errors and repeated keys are problems with their line; then nothing else of the file is used.
 *
 * @param file name for messages
 */
export function readYaml(text: string, file: string): ConfigSource {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const at = (offset: number) => `${file}:${lines.linePos(offset).line}`
  const problems: ConfigProblem[] = document.errors.map((error) => ({
    severity: 'error',
    origin: at(error.pos[0]),
    key: '',
    reason: error.message,
    fix: 'correct the YAML syntax on this line',
  }))
  const origins = new Map<string, string>()
  const collect = (node: unknown, path: readonly string[]): void => {
    if (isMap(node)) {
      for (const pair of node.items) {
        if (!isPair(pair) || !isScalar(pair.key)) continue
        const child = [...path, String(pair.key.value)]
        origins.set(child.join('.'), at(pair.key.range?.[0] ?? 0))
        collect(pair.value, child)
      }
    } else if (isSeq(node)) {
      for (const [index, item] of node.items.entries()) {
        const child = [...path, String(index)]
        const offset = (item as Node).range?.[0]
        if (offset !== undefined) origins.set(child.join('.'), at(offset))
        collect(item, child)
      }
    }
  }
  collect(document.contents, [])
  const content: unknown = problems.length === 0 ? (document.toJS({ maxAliasCount: 100 }) ?? {}) : {}
  if (!isTree(content)) {
    const fix = 'write sections such as "redis:" with keys below them'
    problems.push({ severity: 'error', origin: `${file}:1`, key: '', reason: 'expected keys and values', fix })
  }
  const values = isTree(content) ? content : {}
  return { values, originOf: originLookup(origins, file), problems, unknownKeys: 'fail' }
}
