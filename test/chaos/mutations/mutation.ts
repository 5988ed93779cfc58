import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** One protection taken out of the built programs, and what must notice. */
export interface Mutation {
  readonly name: string
  readonly removed: string
  /** Below `dist/`; `*` stands for the version in a script's name. */
  readonly file: string
  readonly from: string
  readonly to: string
  /** Case of the sweep that must fail without it. */
  readonly point: string
}

export interface MutationResult {
  name: string
  removed: string
  by: string
  isCaught: boolean
  /** What was noticed. */
  evidence: string
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'fence',
    removed: 'the check of the token in settle',
    file: 'native-free-core/transport/redis/scripts/settle-*.js',
    from: 'if owner[1] ~= ARGV[1] then return -2 end',
    to: '',
    point: 'frozen-owner',
  },
  {
    name: 'acknowledge-first',
    removed: 'waiting for the findings to be written before entries are acknowledged',
    file: 'processor/consume/shard-loop.js',
    from: 'this.#writes.areDurable()',
    to: 'Promise.resolve(true)',
    point: 'commit-withheld',
  },
  {
    name: 'high-water',
    removed: 'the comparison with the high water in append',
    file: 'native-free-core/transport/redis/scripts/append-*.js',
    from: 'if high >= tonumber(ARGV[at + 2]) then',
    to: 'high = tonumber(ARGV[at + 1])\n  if false then',
    point: 'append:replied:thread',
  },
  {
    name: 'regroup',
    removed: 'asking again for entries whose reply was lost',
    file: 'native-free-core/transport/redis/shard-reader.js',
    from: 'this.#mustRegroup = true;',
    to: '',
    point: 'read-lost',
  },
  {
    name: 'suspect-lane',
    removed: 'running suspects alone',
    file: 'processor/consume/suspect-lane.js',
    from: 'return this.#suspects.has(correlationId) || deliveryCount > MAX_DELIVERIES;',
    to: 'return false;',
    point: 'bad-company',
  },
]

/**
 * Every file of the mutation's name that has its text: a build leaves the scripts of former versions in their folder.
 *
 * @throws Error the text is nowhere exactly once: the product has changed, and so must the mutation
 */
export function targetsOf(dist: string, { name, file, from }: Mutation): string[] {
  const folder = join(dist, dirname(file))
  const [before, after = ''] = basename(file).split('*')
  const targets = readdirSync(folder)
    .filter((found) => found.startsWith(before) && found.endsWith(after) && found.endsWith('.js'))
    .map((found) => join(folder, found))
    .filter((path) => readFileSync(path, 'utf8').split(from).length === 2)
  if (targets.length === 0) throw new Error(`Mutation ${name}: no ${file} has this exactly once: ${from}`)
  return targets
}
