import { CONDUCTS, conductOf, PUSHED_DEVICE } from '../samples.js'
import type { Evidence, NumberedSample } from './evidence.js'
import type { OfferOutcome } from './journal.js'
import { judgeMissing, type MissingAccount } from './missing.js'
import { countReruns, findReorders } from './order.js'

/** What the oracle found. The run has held when {@link problemsOf} is empty. */
export interface Verdict {
  accepted: number
  /** Of which the hub said, when it was asked to wait for it, that they are stored. */
  confirmed: number
  uncertain: number
  effected: number
  deadLettered: number
  reruns: number
  /** Accepted, and neither effected nor dead-lettered nor accounted for otherwise. */
  lost: NumberedSample[]
  /** Effected more than once, or effected and dead-lettered. */
  duplicated: NumberedSample[]
  reordered: string[]
  /** Dead letters of samples that do no harm. */
  innocents: NumberedSample[]
  /** Samples that can only fail, and are no dead letters. */
  unconvicted: NumberedSample[]
  aliens: string[]
  /** Devices of which the handlers' state does not say what was effected; in words. */
  wrongState: string[]
  /** Ledgers that do not add up, and what is left at rest; in words. */
  unbalanced: string[]
  missing: MissingAccount
}

/** Judges a run that has come to rest. */
export function judge(evidence: Evidence): Verdict {
  const { offers, stored, deadLetters, runs } = evidence
  const dead = groupNumbers(deadLetters)
  const missing = judgeMissing(evidence, dead)
  const verdict: Verdict = {
    accepted: countOffers(evidence, 'accepted'),
    confirmed: countOffers(evidence, 'stored'),
    uncertain: countOffers(evidence, 'uncertain'),
    effected: [...stored.values()].reduce((sum, numbers) => sum + new Set(numbers).size, 0),
    deadLettered: deadLetters.length,
    reruns: countReruns(runs),
    lost: missing.lost,
    duplicated: [],
    reordered: findReorders(stored, (device) => conductOf(device) !== undefined),
    innocents: deadLetters.filter(({ device }) => expectedEnd(device) === 'effect'),
    unconvicted: [],
    aliens: [...evidence.aliens],
    wrongState: wrongStates(evidence),
    unbalanced: imbalances(evidence),
    missing: missing.account,
  }
  for (const device of new Set([...offers.keys(), ...stored.keys(), ...dead.keys()])) {
    const effects = stored.get(device) ?? []
    verdict.duplicated.push(...repeated(device, [...effects, ...new Set(dead.get(device) ?? [])]))
    if (expectedEnd(device) === 'dead-letter') {
      verdict.unconvicted.push(...effects.map((number) => ({ device, number })))
    }
  }
  return verdict
}

/** One line for each kind of trouble; empty when all promises were kept. */
export function problemsOf(verdict: Verdict): string[] {
  const samples = (list: readonly NumberedSample[]) =>
    list
      .slice(0, 10)
      .map(({ device, number }) => `${device}#${number}`)
      .join(', ')
  const counted: [string, readonly NumberedSample[]][] = [
    ['lost', verdict.lost],
    ['effected more than once', verdict.duplicated],
    ['innocent and dead-lettered', verdict.innocents],
    ['bad and effected', verdict.unconvicted],
  ]
  const told: [string, readonly string[]][] = [
    ['out of order', verdict.reordered],
    ['alien', verdict.aliens],
    ['wrong state', verdict.wrongState],
    ['unbalanced', verdict.unbalanced],
  ]
  return [
    ...counted.filter(([, list]) => list.length > 0).map(([name, list]) => `${list.length} ${name}: ${samples(list)}`),
    ...told
      .filter(([, list]) => list.length > 0)
      .map(([name, list]) => `${list.length} ${name}: ${list.slice(0, 5).join('; ')}`),
  ]
}

function expectedEnd(device: string): 'effect' | 'dead-letter' {
  const conduct = conductOf(device)
  return conduct === undefined ? 'effect' : CONDUCTS[conduct]
}

function countOffers({ offers }: Evidence, outcome: OfferOutcome): number {
  return [...offers.values()].flat().reduce((sum, range) => sum + (range.outcome === outcome ? range.count : 0), 0)
}

function groupNumbers(samples: readonly NumberedSample[]): Map<string, number[]> {
  const groups = new Map<string, number[]>()
  for (const { device, number } of samples) groups.set(device, [...(groups.get(device) ?? []), number])
  return groups
}

function repeated(device: string, numbers: readonly number[]): NumberedSample[] {
  const seen = new Set<number>()
  const twice = new Set<number>()
  for (const number of numbers) {
    if (seen.has(number)) twice.add(number)
    seen.add(number)
  }
  return [...twice].map((number) => ({ device, number }))
}

/** The summaries count each sample that took effect once: neither more nor less, and those samples. */
function wrongStates({ stored, summaries }: Evidence): string[] {
  if (summaries === undefined) return []
  const problems: string[] = []
  for (const [device, numbers] of stored) {
    if (device === PUSHED_DEVICE) continue
    const effects = [...new Set(numbers)]
    const mean = effects.reduce((sum, number) => sum + number, 0) / effects.length
    const summary = summaries.get(device)
    if (summary?.count !== effects.length) {
      problems.push(`${device}: ${summary?.count} in its summary, ${effects.length} stored`)
    } else if (Math.abs(summary.mean - mean) > 1e-6 * Math.max(1, mean)) {
      problems.push(`${device}: mean ${summary.mean} in its summary, ${mean} of what is stored`)
    }
  }
  return problems
}

function imbalances({ hubs, processorImbalances, leftovers }: Evidence): string[] {
  return [
    ...hubs
      .filter(({ imbalance }) => imbalance !== 0)
      .map(({ hub, imbalance }) => `ledger of hub ${hub}: ${imbalance}`),
    ...processorImbalances
      .filter((imbalance) => imbalance !== 0)
      .map((imbalance) => `ledger of a processor: ${imbalance}`),
    ...[...leftovers].filter(([, value]) => value !== 0).map(([name, value]) => `${name}: ${value} at rest`),
  ]
}
