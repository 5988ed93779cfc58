/** `dead-letters list`, `groups` and `show`. */
import { TelemetryError } from '#core/errors/telemetry-error'
import type { Inspection } from '#core/protocol/inspect-messages'
import type { DeadLetter } from '#core/transport/dead-letters'
import { type LetterDetails, letterDetails, letterJson } from '../processor/dead-letters/letter-details.js'
import { EXIT, type ExitCode, writeJson } from './command-context.js'
import { isFiltering, type LetterAction, numberOf } from './letter-action.js'
import { ago, counted, dim, facts, hexDump, type Output, size, table } from './terminal.js'

const MAX_ROWS = 100_000
const PAGE = 500
/** 256 bytes; --json has more. */
const SHOWN_HEX_DIGITS = 512

export async function listLetters(action: LetterAction): Promise<ExitCode> {
  const { box, filter, values, out, isJson } = action
  const order = values['oldest-first'] === true ? 'oldest-first' : 'newest-first'
  const limit = numberOf(values, 'limit', 1, MAX_ROWS) ?? 50
  const letters: DeadLetter[] = []
  let cursor = typeof values.cursor === 'string' ? values.cursor : undefined
  do {
    const page = await box.page({ filter, order, cursor, limit: Math.min(PAGE, limit - letters.length) })
    letters.push(...page.letters)
    cursor = page.cursor
  } while (cursor !== undefined && letters.length < limit)
  if (isJson) {
    writeJson(action, { letters: letters.map(letterJson), cursor })
    return EXIT.ok
  }
  if (letters.length === 0) {
    out.write(isFiltering(filter) ? 'No dead letters match.\n' : 'No dead letters.\n')
    return EXIT.ok
  }
  const nowMs = Date.now()
  const columns = [
    { title: 'ID' },
    { title: 'DIED' },
    { title: 'CLASS' },
    { title: 'TRIES', align: 'right' as const },
    { title: 'REPLAYS', align: 'right' as const },
    { title: 'SAMPLES', align: 'right' as const, isOptional: true },
    { title: 'SIZE', align: 'right' as const, isOptional: true },
    { title: 'BATCH', isOptional: true },
    { title: 'MESSAGE' },
  ]
  const rows = letters.map((letter) => [
    letter.id,
    ago(letter.diedAtMs, nowMs),
    letter.class,
    String(letter.deliveries),
    String(letter.generation),
    String(letter.samples),
    size(letter.bytes),
    letter.correlationId,
    letter.message,
  ])
  out.write(table(columns, rows, out))
  if (cursor !== undefined) out.write(dim(`There may be more: --cursor ${cursor}\n`, out))
  return EXIT.ok
}

export async function groupLetters(action: LetterAction): Promise<ExitCode> {
  const { box, values, out, isJson } = action
  const limit = numberOf(values, 'limit', 1, MAX_ROWS) ?? 50
  const [groups, totals] = await Promise.all([box.groups(limit), box.totals()])
  if (isJson) {
    writeJson(action, { groups, totals })
    return EXIT.ok
  }
  const nowMs = Date.now()
  if (groups.length > 0) {
    const columns = [
      { title: 'COUNT', align: 'right' as const },
      { title: 'FINGERPRINT' },
      { title: 'CLASS' },
      { title: 'FIRST' },
      { title: 'LAST' },
      { title: 'MESSAGE' },
    ]
    const rows = groups.map((group) => [
      group.count.toLocaleString('en-US'),
      group.fingerprint,
      group.class,
      group.firstAtMs === undefined ? '' : ago(group.firstAtMs, nowMs),
      group.lastAtMs === undefined ? '' : ago(group.lastAtMs, nowMs),
      group.message,
    ])
    out.write(`${table(columns, rows, out)}\n`)
  }
  const { entries, bytes, replayed, purged, dropped } = totals
  const drops = dropped.entries + dropped.bytes + dropped.age
  const past = `ever replayed ${replayed}, purged ${purged}, dropped by the bounds ${drops}`
  out.write(dim(`${counted(entries, 'letter')}, ${size(bytes)}; ${past}\n`, out))
  return EXIT.ok
}

export async function showLetter(action: LetterAction): Promise<ExitCode> {
  const { box, ids, values, out, err, isJson } = action
  if (ids.length !== 1)
    throw new TelemetryError('TLM_OPTIONS_INVALID', 'show: give the id of one letter, as list shows it.')
  const samples = numberOf(values, 'samples', 0, 1000) ?? 20
  const details = await letterDetails(box, ids[0], samples, values.raw === true)
  if (details === undefined) {
    err.write(`No dead letter ${ids[0]}, any more.\n`)
    return EXIT.failed
  }
  if (isJson) writeJson(action, details)
  else out.write(detailsText(details, out))
  return EXIT.ok
}

function detailsText(letter: LetterDetails, out: Output): string {
  const takenAt = letter.firstTakenAtUs === undefined ? undefined : isoOf(letter.firstTakenAtUs)
  const text = facts(
    [
      ['letter', letter.id],
      ['batch', letter.correlationId],
      ['died', `${letter.diedAt}, ${ago(Date.parse(letter.diedAt), Date.now())}`],
      ['class', letter.class],
      ['message', letter.message],
      ['group', letter.fingerprint],
      ['handed out', `${counted(letter.deliveries, 'time')}, ${letter.attempts} of them ended in a retry`],
      ['replayed', counted(letter.generation, 'time')],
      ['owner', letter.holder],
      ['stream', `shard ${letter.shard}, ${letter.priority ?? 'unknown'} priority, handler ${letter.handler}`],
      ['body', `${size(letter.bytes)}, said to hold ${counted(letter.samples, 'sample')}`],
      ['first taken', takenAt],
    ],
    out,
  )
  const raw = letter.body === undefined ? '' : `\n${letter.body}\n`
  return `${text}\n${letter.content === undefined ? 'No body is kept.\n' : contentText(letter.content, out)}${raw}`
}

function contentText(content: Inspection, out: Output): string {
  if (content.kind === 'unreadable')
    return `Unreadable: ${content.reason}\n\n${hexDump(content.hex.slice(0, SHOWN_HEX_DIGITS))}`
  const { producer, epoch, seq, samples, seriesCount, firstTakenAtUs, lastTakenAtUs, series, first } = content
  const span =
    firstTakenAtUs === undefined || lastTakenAtUs === undefined
      ? undefined
      : `${isoOf(firstTakenAtUs)} to ${isoOf(lastTakenAtUs)}`
  const head = facts(
    [
      ['header', `producer ${producer}, epoch ${epoch}, number ${seq}`],
      ['content', `${counted(samples, 'sample')} of ${seriesCount} series`],
      ['taken', span],
    ],
    out,
  )
  const seriesRows = series.map((one) => [`${one.device}/${one.channel}`, one.unit, String(one.samples)])
  const seriesTable = table([{ title: 'SERIES' }, { title: 'UNIT' }, { title: 'SAMPLES' }], seriesRows, out)
  if (first.length === 0) return `${head}\n${seriesTable}`
  const columns = [
    { title: 'TAKEN' },
    { title: 'SERIES' },
    { title: 'VALUE', align: 'right' as const },
    { title: 'QUALITY' },
    { title: 'SEQUENCE' },
  ]
  const rows = first.map((sample) => [
    isoOf(sample.takenAtUs),
    `${sample.device}/${sample.channel}`,
    String(sample.value),
    sample.quality,
    String(sample.sequence),
  ])
  return `${head}\n${seriesTable}\n${table(columns, rows, out)}`
}

/** To the microsecond. */
function isoOf(us: number): string {
  const ms = Math.floor(us / 1000)
  const text = Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : `${us} us`
  return text.replace('Z', `${String(Math.round(us - ms * 1000)).padStart(3, '0')}Z`)
}
