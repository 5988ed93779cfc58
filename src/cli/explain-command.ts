/** `node dist/processor.js explain ID`: the life of one batch, as far as the store and the findings know it. */

import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import { batchId, wholeBatchOf } from '#core/model/batch'
import type { Finding } from '#core/model/finding'
import { PRIORITY_NAMES } from '#core/model/priority'
import type { StoredBatch } from '#core/protocol/sink-messages'
import type { BatchName, BatchPlace, BatchTrace, BatchTracer, TracerModule } from '#core/transport/batch-tracer'
import { parseId } from '#core/transport/dead-letters/positions'
import { letterJson } from '../processor/dead-letters/letter-details.js'
import { openDeadLetterBox } from '../processor/dead-letters/workbench.js'
import { SinkReader } from '../processor/sinks/sink-reader.js'
import { type CommandContext, EXIT, type ExitCode, writeJson } from './command-context.js'
import { type CommandFlag, flagLines, parseCommandLine } from './command-line.js'
import { findStore } from './find-store.js'
import { ago, bold, counted, facts, type Output, size, table } from './terminal.js'

const FLAGS: readonly CommandFlag[] = [{ name: 'json', help: 'JSON, for programs' }]
const MAX_FINDINGS = 50

const HELP = `node dist/processor.js explain ID [flags]

Where a batch is and what became of it. ID is a correlation id, as logs, findings and dead letters have it
(producer.epoch.shard.number), or the id of a dead letter.

${flagLines(FLAGS)}
The store is found as the processor finds it: --config FILE, --redis URL, --data DIR, --shards N, the environment.
Exit code: 0 known, 1 not known, 2 the command line is wrong.
`

/** `settled`: stored, and nowhere any more. `unknown`: never stored, as far as the store remembers. */
export type Verdict = BatchPlace['kind'] | 'settled' | 'unknown'

interface Explanation {
  batch: string
  verdict: Verdict
  trace: BatchTrace
  findings: Finding[]
  stored: StoredBatch | undefined
  /** Why the findings could not be read. */
  sinkProblem: string | undefined
}

export async function runExplain(argv: readonly string[], context: CommandContext): Promise<ExitCode> {
  const line = parseCommandLine(argv, FLAGS, 'See node dist/processor.js explain --help.')
  const [id, ...more] = line.positionals
  if (line.values.help === true || id === undefined) {
    const isAsked = line.values.help === true
    ;(isAsked ? context.out : context.err).write(HELP)
    return isAsked ? EXIT.ok : EXIT.usage
  }
  if (more.length > 0) throw new TelemetryError('TLM_OPTIONS_INVALID', 'explain: give one id.')
  const { settings, locator } = findStore(line.programArgs, context.env)
  const name = wholeBatchOf(id) ?? (await nameOfLetter(id, locator, context))
  if (name === undefined) return EXIT.failed
  const module = (await import(locator.moduleUrl)) as TracerModule
  const tracer = await module.openBatchTracer(locator.options)
  try {
    const explanation = await explain(tracer, name, settings.sqlitePath)
    if (line.values.json === true) writeJson(context, jsonOf(explanation))
    else context.out.write(textOf(explanation, name, context.out))
    return explanation.verdict === 'unknown' && explanation.stored === undefined ? EXIT.failed : EXIT.ok
  } finally {
    await tracer.close()
  }
}

async function nameOfLetter(
  id: string,
  locator: Parameters<typeof openDeadLetterBox>[0],
  { err }: CommandContext,
): Promise<BatchName | undefined> {
  if (parseId(id) === undefined) {
    const forms = 'a correlation id such as hub-1.r0.1700000000000000.3.42, or the id of a dead letter'
    throw new TelemetryError('TLM_OPTIONS_INVALID', `explain: ${id} is neither ${forms}.`)
  }
  const box = await openDeadLetterBox(locator)
  try {
    const found = await box.get(id)
    const name = found && wholeBatchOf(found.letter.correlationId)
    if (found === undefined) err.write(`No dead letter ${id}, any more.\n`)
    else if (name === undefined) err.write(`Dead letter ${id} is of no single batch: ${found.letter.message}\n`)
    return name
  } finally {
    await box.close()
  }
}

async function explain(tracer: BatchTracer, name: BatchName, sqlitePath: string): Promise<Explanation> {
  const trace = await tracer.trace(name)
  const batch = batchId(name, name.shard)
  const isStored = trace.highWaterSeq !== undefined && name.seq <= trace.highWaterSeq
  const verdict = trace.places[0]?.kind ?? (isStored && trace.isComplete ? 'settled' : 'unknown')
  const sqliteModule = import.meta.resolve('#src/processor/sinks/sqlite-sink')
  const reader = new SinkReader({ moduleUrl: sqliteModule, options: { path: sqlitePath } })
  try {
    const [findings, [stored]] = await Promise.all([
      reader.findings({ batch, limit: MAX_FINDINGS, order: 'oldest-first' }),
      reader.stored(batch),
    ])
    return { batch, verdict, trace, findings, stored, sinkProblem: undefined }
  } catch (error) {
    return { batch, verdict, trace, findings: [], stored: undefined, sinkProblem: messageOf(error) }
  } finally {
    await reader.close()
  }
}

function jsonOf({ trace, ...same }: Explanation): object {
  const places = trace.places.map((place) =>
    place.kind === 'dead'
      ? { ...place, letter: letterJson(place.letter) }
      : { ...place, priority: PRIORITY_NAMES[place.priority] },
  )
  return { ...same, trace: { ...trace, places } }
}

function textOf(explanation: Explanation, name: BatchName, out: Output): string {
  const { batch, verdict, trace, findings, stored, sinkProblem } = explanation
  const { highWaterSeq, owner, places, isComplete } = trace
  const numbering =
    highWaterSeq === undefined
      ? 'the store knows nothing of this producer and epoch, any more'
      : name.seq > highWaterSeq
        ? `number ${name.seq}; the last one stored is ${highWaterSeq}`
        : `number ${name.seq} of ${highWaterSeq} stored so far`
  const head = facts(
    [
      ['batch', batch],
      ['state', `${verdict}: ${MEANINGS[verdict]}`],
      ['producer', `${name.producer}, epoch ${name.epoch} (${epochText(name.epoch)})`],
      ['numbering', numbering],
      ['shard', `${name.shard}, ${owner === undefined ? 'owned by nobody' : `owned by ${owner}`}`],
      ['looked', isComplete ? undefined : 'not through all of the shard: it holds too much'],
    ],
    out,
  )
  const where = places.map((place) => `\n${bold(`Now: ${place.kind}`, out)}\n${placeText(place, out)}`).join('')
  return `${head}${where}${sinkText(findings, stored, sinkProblem, out)}`
}

const MEANINGS: Readonly<Record<Verdict, string>> = {
  waiting: 'stored, and nobody has it',
  'in-flight': 'an owner has read it and not settled it yet',
  delayed: 'it failed, and waits for its next try',
  dead: 'nobody could process it; dead-letters show and replay it',
  settled: 'processed and acknowledged, or purged from the dead letters',
  unknown: 'never stored, as far as the store remembers',
}

function placeText(place: BatchPlace, out: Output): string {
  const nowMs = Date.now()
  if (place.kind === 'dead') {
    const {
      id,
      class: kind,
      message,
      diedAtMs,
      attempts,
      deliveries,
      generation,
      holder,
      samples,
      bytes,
    } = place.letter
    return facts(
      [
        ['letter', id],
        ['died', `${new Date(diedAtMs).toISOString()}, ${ago(diedAtMs, nowMs)}`],
        ['class', kind],
        ['message', message],
        [
          'handed out',
          `${counted(deliveries, 'time')}, ${counted(attempts, 'retry').replace('retrys', 'retries')} before`,
        ],
        ['replayed', counted(generation, 'time')],
        ['owner', holder],
        ['holds', `${counted(samples, 'sample')}, ${size(bytes)}`],
      ],
      out,
    )
  }
  const { priority, storedAtMs, attempts, deliveries, generation, samples, bytes } = place
  const dueInMs = place.kind === 'delayed' ? place.dueAtMs - nowMs : undefined
  const forMs = place.kind === 'in-flight' ? place.forMs : undefined
  return facts(
    [
      ['owner', place.kind === 'in-flight' ? place.owner : undefined],
      ['read', forMs === undefined ? undefined : ago(nowMs - forMs, nowMs)],
      ['next try', dueInMs === undefined ? undefined : dueInMs > 0 ? `in ${(dueInMs / 1000).toFixed(1)}s` : 'due now'],
      ['stored', storedAtMs === undefined ? undefined : `${isoOf(storedAtMs)}, ${ago(storedAtMs, nowMs)}`],
      ['priority', PRIORITY_NAMES[priority]],
      ['handed out', counted(deliveries, 'time')],
      ['failed', counted(attempts, 'time')],
      ['replayed', counted(generation, 'time')],
      ['holds', `${counted(samples, 'sample')}, ${size(bytes)}`],
    ],
    out,
  )
}

function sinkText(
  findings: readonly Finding[],
  stored: StoredBatch | undefined,
  problem: string | undefined,
  out: Output,
): string {
  if (problem !== undefined) return `\nFindings could not be read: ${problem}\n`
  const chunk =
    stored === undefined
      ? ''
      : `\n${bold('Stored whole', out)}\n${counted(stored.samples, 'sample')} from ${isoOf(stored.firstTakenAtUs / 1000)} to ${isoOf(stored.lastTakenAtUs / 1000)}\n`
  if (findings.length === 0) return `${chunk}\nNo finding names this batch as its last cause.\n`
  const columns = [{ title: 'HANDLER' }, { title: 'SERIES' }, { title: 'AT' }, { title: 'KEY' }]
  const rows = findings.map(({ handler, device, channel, atUs, key }) => [
    handler,
    `${device}/${channel}`,
    isoOf(atUs / 1000),
    key,
  ])
  const more = findings.length === MAX_FINDINGS ? `The first ${MAX_FINDINGS} of them.\n` : ''
  return `${chunk}\n${bold('Findings that name it as their last cause', out)}\n${table(columns, rows, out)}${more}`
}

function epochText(epochUs: number): string {
  return `began ${isoOf(epochUs / 1000)}`
}

function isoOf(ms: number): string {
  return Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`
}
