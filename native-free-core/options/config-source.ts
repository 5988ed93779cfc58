/**
 * One place that options come from (a file, the environment, the command line), as a tree of plain values that
 * remembers where each value was written.
 */
export interface ConfigSource {
  /** Nested by section, keys in snake_case, e.g. `{ redis: { port: '6379' } }`. */
  values: ConfigTree
  /** Where the value at the dotted path was written, e.g. `hub.yaml:12`; that of the nearest parent when unknown. */
  originOf(path: readonly string[]): string
  /** Places that could not be read at all. */
  problems: readonly ConfigProblem[]
  /** The seed ignored unknown INI keys, so its files must still start: there they warn instead of fail. */
  unknownKeys: 'fail' | 'warn'
}

export interface ConfigTree {
  [key: string]: unknown
}

/** What is wrong, where, and how to mend it. */
export interface ConfigProblem {
  severity: 'error' | 'warning'
  /** `hub.yaml:12`, `REDIS_PORT` or `--port`. */
  origin: string
  /** Dotted key; empty when the problem is of the file. */
  key: string
  reason: string
  fix: string
}

/** `hub.yaml:12 redis.port: expected a whole number. Fix: …` */
export function formatProblem({ severity, origin, key, reason, fix }: ConfigProblem): string {
  const mark = severity === 'warning' ? 'warning: ' : ''
  const where = key === '' ? origin : `${origin} ${key}`
  return `${mark}${where}: ${reason}. Fix: ${fix}`
}

/** Looks origins up by exact path, then by the nearest parent, then answers `fallback`. */
export function originLookup(origins: ReadonlyMap<string, string>, fallback: string): ConfigSource['originOf'] {
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const origin = origins.get(path.slice(0, length).join('.'))
      if (origin !== undefined) return origin
    }
    return fallback
  }
}

export function isTree(value: unknown): value is ConfigTree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
