import { type ConfigSource, type ConfigTree, originLookup } from './config-source.js'
import { place } from './ini-source.js'

/** A name outside a file, e.g. `REDIS_HOST` or `port`, and the option it sets. */
export interface Override {
  name: string
  path: readonly string[]
}

/**
 * Options set one by one: environment variables or command line flags. Empty values count as not given.
 *
 * @param format how the name is shown in messages, e.g. `(name) => '--' + name`
 */
export function readOverrides(
  overrides: readonly Override[],
  given: Readonly<Record<string, unknown>>,
  format: (name: string) => string = (name) => name,
): ConfigSource {
  const values: ConfigTree = {}
  const origins = new Map<string, string>()
  for (const { name, path } of overrides) {
    const value = given[name]
    if (value === undefined || value === '') continue
    place(values, path, value)
    origins.set(path.join('.'), format(name))
  }
  return { values, originOf: originLookup(origins, 'options'), problems: [], unknownKeys: 'fail' }
}
