/** `dead-letters replay`, `purge`, `jobs`, `abort` and `resume`. */
import { TelemetryError } from '#core/errors/telemetry-error'
import { systemClock } from '#core/time/clock'
import type { ReplayOutcome } from '#core/transport/dead-letters'
import { parseId } from '#core/transport/dead-letters/positions'
import { countLetters, type LetterCount } from '../processor/dead-letters/letter-count.js'
import { purgeLetters } from '../processor/dead-letters/purge.js'
import type { ReplayJob, ReplayRecord } from '../processor/dead-letters/replay-job.js'
import { type Refusal, ReplayJobs } from '../processor/dead-letters/replay-jobs.js'
import { EXIT, type ExitCode, writeJson } from './command-context.js'
import { isFiltering, type LetterAction, numberOf } from './letter-action.js'
import { trialText, tryLetters } from './letter-trial.js'
import { ago, counted, size, table } from './terminal.js'

const PROGRESS_EVERY_MS = 200
const MAX_COUNT = 100_000_000

export async function replay(action: LetterAction): Promise<ExitCode> {
  const { box, filter, values, ids, maxReplays, isJson, out } = action
  const force = values.force === true
  if (ids.length > 0) {
    checkIds(ids, 'replay')
    const outcomes = await box.replay(ids, force ? undefined : maxReplays)
    if (isJson) writeJson(action, { outcomes: ids.map((id, i) => ({ id, outcome: outcomes[i] })) })
    else for (const [i, id] of ids.entries()) out.write(`${id}  ${outcomes[i]}\n`)
    return outcomes.every((outcome) => outcome === 'replayed') ? EXIT.ok : EXIT.failed
  }
  requireChoice(action, 'replay')
  if (values['dry-run'] === true || values.try === true) {
    const found = await countLetters(box, filter, maxReplays)
    const trial = values.try === true ? await tryLetters(action) : undefined
    if (isJson) writeJson(action, { dryRun: true, found, trial })
    else
      out.write(`Would replay:\n${countText(found)}${wornOutText(found, force)}${trial ? trialText(trial, out) : ''}`)
    return EXIT.ok
  }
  const ratePerSecond = numberOf(values, 'rate', 0.1, 100_000, false) ?? 100
  const limit = numberOf(values, 'limit', 1, MAX_COUNT)
  const job = await new ReplayJobs(systemClock, maxReplays).start(box, { filter, ratePerSecond, limit, force })
  return follow(action, job)
}

export async function resumeReplay(action: LetterAction): Promise<ExitCode> {
  const { box, ids, maxReplays, err } = action
  const id = oneJob(ids, 'resume')
  const job = await new ReplayJobs(systemClock, maxReplays).resume(box, id)
  if (job !== undefined) return follow(action, job)
  err.write(`No replay ${id}.\n`)
  return EXIT.failed
}

export async function abortReplay(action: LetterAction): Promise<ExitCode> {
  const { box, ids, maxReplays, out, err } = action
  const id = oneJob(ids, 'abort')
  if (!(await new ReplayJobs(systemClock, maxReplays).abort(box, id))) {
    err.write(`No replay ${id}.\n`)
    return EXIT.failed
  }
  out.write(`Replay ${id} ends with its next step.\n`)
  return EXIT.ok
}

export async function listJobs(action: LetterAction): Promise<ExitCode> {
  const { box, maxReplays, out, isJson } = action
  const jobs = await new ReplayJobs(systemClock, maxReplays).list(box)
  if (isJson) writeJson(action, { jobs })
  else if (jobs.length === 0) out.write('No replays.\n')
  else {
    const columns = [
      { title: 'JOB' },
      { title: 'STATE' },
      { title: 'BEGAN' },
      { title: 'REPLAYED', align: 'right' as const },
      { title: 'WORN OUT', align: 'right' as const },
      { title: 'RATE', align: 'right' as const },
      { title: 'PROBLEM' },
    ]
    const rows = jobs.map(({ id, state, startedAtMs, counts, ratePerSecond, problem = '' }) => [
      id,
      state,
      ago(startedAtMs, Date.now()),
      String(counts.replayed),
      String(counts['worn-out']),
      `${ratePerSecond}/s`,
      problem,
    ])
    out.write(table(columns, rows, out))
  }
  return EXIT.ok
}

export async function purge(action: LetterAction): Promise<ExitCode> {
  const { box, filter, values, ids, isJson, out, err } = action
  if (ids.length > 0) {
    checkIds(ids, 'purge')
    const purged = await box.purge(ids)
    if (isJson) writeJson(action, { purged })
    else out.write(`Purged ${counted(purged, 'letter')}.\n`)
    return purged === ids.length ? EXIT.ok : EXIT.failed
  }
  requireChoice(action, 'purge')
  const expected = numberOf(values, 'expect', 0, MAX_COUNT)
  const isDryRun = values['dry-run'] === true
  const result = await purgeLetters(box, filter, isDryRun ? undefined : expected)
  if (isJson) writeJson(action, result)
  else if (result.kind === 'purged') out.write(`Purged ${counted(result.purged, 'letter')}.\n`)
  else out.write(`Would purge:\n${countText(result.found)}`)
  if (result.kind === 'purged' || isDryRun) return EXIT.ok
  const { letters } = result.found
  const why = result.kind === 'other-count' ? `It is not ${result.expected} letters. ` : ''
  err.write(`${why}Nothing was purged. To purge them: --expect ${letters}\n`)
  return result.kind === 'other-count' ? EXIT.failed : EXIT.usage
}

/** Shows how far a replay is until it ends; Ctrl-C ends it in order. */
async function follow(action: LetterAction, job: ReplayJob | Refusal): Promise<ExitCode> {
  const { out, err, signal, isJson } = action
  if ('refused' in job) {
    err.write(`${job.refused}\n`)
    return EXIT.failed
  }
  signal.addEventListener('abort', () => job.abort())
  if (signal.aborted) job.abort()
  const isShown = err.columns !== undefined && !isJson
  const show = () => err.write(`\r\x1b[K${progressText(job.record)}`)
  const timer = isShown ? setInterval(show, PROGRESS_EVERY_MS) : undefined
  await job.ended
  clearInterval(timer)
  if (isShown) err.write('\r\x1b[K')
  const { record } = job
  if (isJson) writeJson(action, record)
  else out.write(`${progressText(record)}\n`)
  if (record.state === 'done') return EXIT.ok
  err.write(`${record.problem ? `${record.problem}\n` : ''}To go on: dead-letters resume ${record.id}\n`)
  return EXIT.failed
}

function progressText({ id, state, counts }: ReplayRecord): string {
  const others = (Object.entries(counts) as [ReplayOutcome, number][]).filter(
    ([outcome, count]) => outcome !== 'replayed' && count > 0,
  )
  const rest = others.map(([outcome, count]) => `, ${count.toLocaleString('en-US')} ${outcome}`).join('')
  return `Replay ${id} ${state}: ${counted(counts.replayed, 'letter')} replayed${rest}`
}

function countText({ letters, samples, bytes, byClass }: LetterCount): string {
  const classes = Object.entries(byClass)
    .sort(([, a], [, b]) => b - a)
    .map(([kind, count]) => `  ${count.toLocaleString('en-US').padStart(9)}  ${kind}\n`)
  return `${counted(letters, 'letter')}, ${counted(samples, 'sample')}, ${size(bytes)}\n${classes.join('')}`
}

function wornOutText({ wornOut }: LetterCount, force: boolean): string {
  if (wornOut === 0 || force) return ''
  return `${counted(wornOut, 'letter')} of them would stay: replayed as often as they may be (--force replays them, too).\n`
}

function requireChoice({ filter, values }: LetterAction, name: string): void {
  if (isFiltering(filter) || values.all === true) return
  throw new TelemetryError('TLM_OPTIONS_INVALID', `${name}: give ids, a filter such as --fingerprint, or --all.`)
}

function checkIds(ids: readonly string[], name: string): void {
  const wrong = ids.find((id) => parseId(id) === undefined)
  if (wrong === undefined) return
  throw new TelemetryError('TLM_OPTIONS_INVALID', `${name}: ${wrong} is no id of a letter; list shows them.`)
}

function oneJob(ids: readonly string[], name: string): string {
  if (ids.length === 1) return ids[0]
  throw new TelemetryError('TLM_OPTIONS_INVALID', `${name}: give the id of one replay, as jobs shows it.`)
}
