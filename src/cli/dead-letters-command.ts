/** `node dist/processor.js dead-letters`: the workbench on the command line, straight on the store. */
import { TelemetryError } from '#core/errors/telemetry-error'
import { didYouMean } from '#core/options/did-you-mean'
import { filterSchema, parseFields } from '../processor/dead-letters/letter-filter.js'
import { openDeadLetterBox } from '../processor/dead-letters/workbench.js'
import { type CommandContext, EXIT, type ExitCode } from './command-context.js'
import { type CommandFlag, flagLines, parseCommandLine } from './command-line.js'
import { abortReplay, listJobs, purge, replay, resumeReplay } from './dead-letter-changes.js'
import { groupLetters, listLetters, showLetter } from './dead-letter-reads.js'
import { findStore } from './find-store.js'
import type { LetterAction } from './letter-action.js'

const ACTIONS: ReadonlyMap<string, (action: LetterAction) => Promise<ExitCode>> = new Map([
  ['list', listLetters],
  ['groups', groupLetters],
  ['show', showLetter],
  ['replay', replay],
  ['purge', purge],
  ['jobs', listJobs],
  ['abort', abortReplay],
  ['resume', resumeReplay],
])

const FILTER_FLAGS: readonly CommandFlag[] = [
  { name: 'class', value: 'CLASS', help: 'only of this class, e.g. TLM_BATCH_UNREADABLE' },
  { name: 'fingerprint', value: 'HEX', help: 'only of this group' },
  { name: 'shard', value: 'N', help: 'only of this shard' },
  { name: 'correlation', value: 'ID', help: 'only of this batch' },
  { name: 'device', value: 'NAME', help: 'only batches with series of this device' },
  { name: 'from', value: 'TIME', help: 'that died then or later: 2026-01-31T12:00:00Z, or 2h for two hours ago' },
  { name: 'to', value: 'TIME', help: 'that died before' },
]

const FLAGS: readonly CommandFlag[] = [
  ...FILTER_FLAGS,
  { name: 'all', help: 'replay, purge: all letters, where no filter is given' },
  { name: 'limit', value: 'N', help: 'list, groups: rows (50); replay: letters' },
  { name: 'cursor', value: 'ID', help: 'list: go on where an earlier one ended' },
  { name: 'oldest-first', help: 'list: in the order of death' },
  { name: 'samples', value: 'N', help: 'show: samples of the batch (20)' },
  { name: 'raw', help: 'show: the body, too, in base64' },
  { name: 'rate', value: 'N', help: 'replay: letters per second (100)' },
  { name: 'force', help: 'replay: also what was replayed as often as it may be' },
  { name: 'dry-run', help: 'replay, purge: only say what it would be done to' },
  { name: 'try', help: 'replay: like --dry-run, and runs them through the handlers as they are now, without effect' },
  { name: 'expect', value: 'N', help: 'purge: only when it is this many letters' },
  { name: 'json', help: 'JSON, for programs' },
]

const HELP = `node dist/processor.js dead-letters ACTION [flags]

Batches that nobody could process: what died, of what, and what to do about it.

  list                     letters, the newest first
  groups                   letters that died of the same, counted
  show ID                  one letter and what its body holds
  replay [ID...]           puts letters back into their streams, at a rate; Ctrl-C ends it
  purge [ID...]            removes letters for good
  jobs                     replays and how far they are
  abort JOB, resume JOB    ends a replay; goes on with one

${flagLines(FLAGS)}
The store is found as the processor finds it: --config FILE, --redis URL, --data DIR, --shards N, the environment.
Exit code: 0 done, 1 not done or not all of it, 2 the command line is wrong.
`

export async function runDeadLetters(argv: readonly string[], context: CommandContext): Promise<ExitCode> {
  const line = parseCommandLine(argv, FLAGS, 'See node dist/processor.js dead-letters --help.')
  const [name, ...ids] = line.positionals
  if (line.values.help === true || name === undefined) {
    const isAsked = line.values.help === true
    ;(isAsked ? context.out : context.err).write(HELP)
    return isAsked ? EXIT.ok : EXIT.usage
  }
  const action = ACTIONS.get(name)
  if (action === undefined) {
    const near = didYouMean(name, [...ACTIONS.keys()])
    const fix = near ? `Did you mean ${near}?` : 'See node dist/processor.js dead-letters --help.'
    throw new TelemetryError('TLM_OPTIONS_INVALID', `dead-letters has no action ${name}. ${fix}`)
  }
  const given = FILTER_FLAGS.flatMap(({ name: flag }) => {
    const value = line.values[flag]
    return value === undefined ? [] : [[flag, value] as const]
  })
  const filter = parseFields(filterSchema, Object.fromEntries(given), 'filter')
  const { settings, locator } = findStore(line.programArgs, context.env)
  const { maxReplays } = settings
  const box = await openDeadLetterBox(locator)
  try {
    const isJson = line.values.json === true
    return await action({ ...context, box, filter, ids, values: line.values, isJson, maxReplays, settings })
  } finally {
    await box.close()
  }
}
