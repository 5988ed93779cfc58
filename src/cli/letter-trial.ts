/** `dead-letters replay --try`. */
import { systemClock } from '#core/time/clock'
import { createLogger } from '../host/logger.js'
import { readHandlerSpecs } from '../processor/config/handler-specs.js'
import { LetterTrials, type TrialReport } from '../processor/dead-letters/letter-trial.js'
import type { LetterAction } from './letter-action.js'
import { counted, type Output, table } from './terminal.js'

/** Runs what the filter finds through the handlers that a processor with these settings has. @throws TLM_OPTIONS_INVALID */
export function tryLetters({ box, filter, settings }: LetterAction): Promise<TrialReport | undefined> {
  const { maxHeapBytes, runDeadlineMs } = settings
  const workerData = { handlers: readHandlerSpecs(settings.handlers) }
  const log = createLogger({ name: 'dead-letters', level: 'silent' })
  return new LetterTrials({ maxHeapBytes, runDeadlineMs, workerData }, systemClock, log).run(box, filter)
}

export function trialText(report: TrialReport, out: Output): string {
  const { tried, passed, partly, failed, bodiless, isComplete, failures } = report
  const rest = isComplete ? '' : ', the oldest only: the bounds of a trial are reached'
  const head = `Tried ${counted(tried, 'letter')}${rest}: ${passed} pass, ${partly} in part, ${failed} fail.\n`
  const without = bodiless > 0 ? `${counted(bodiless, 'letter')} without a body not tried.\n` : ''
  if (failures.length === 0) return `${head}${without}`
  const columns = [
    { title: 'COUNT', align: 'right' as const },
    { title: 'FINGERPRINT' },
    { title: 'CLASS' },
    { title: 'EXAMPLE' },
    { title: 'MESSAGE' },
  ]
  const rows = failures.map(({ letters, fingerprint, class: kind, example, message }) => {
    return [String(letters), fingerprint, kind, example, message]
  })
  return `${head}${without}${table(columns, rows, out)}`
}
