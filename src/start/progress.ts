/** What `npm start` shows: pure text from figures, so that a test can read it. */
import { type HubFigures, imbalanceOf as hubImbalance } from '../hub/hub-figures.js'
import { type ProcessorFigures, imbalanceOf as processorImbalance } from '../processor/processor-figures.js'

export interface Progress {
  elapsedS: number
  hub: HubFigures
  processor: ProcessorFigures
  /** Samples per second since the last look. */
  inRate: number
  outRate: number
}

/** One line for logs and pipes. */
export function progressLine({ elapsedS, hub, processor, inRate, outRate }: Progress): string {
  return [
    `${elapsedS.toFixed(1)} s`,
    `in ${count(inRate)}/s`,
    `out ${count(outRate)}/s`,
    `p50 ${ms(processor.latencyP50Ms)}`,
    `p99 ${ms(processor.latencyP99Ms)}`,
    `backlog ${count(processor.backlog.samples)}`,
    `findings ${count(processor.findings.written)}`,
    `dropped ${count(hub.ledger.dropped)}`,
  ].join(' · ')
}

/** The whole screen of a terminal. */
export function progressScreen(progress: Progress, urls: { hub: string; processor: string }): string {
  const { hub, processor, elapsedS } = progress
  const row = (name: string, value: string, note = '') =>
    `  ${name.padEnd(12)} ${value.padStart(14)}   ${note}`.trimEnd()
  const byHandler = Object.entries(processor.findings.byHandler)
  return [
    `TelemetryHub · running for ${elapsedS.toFixed(0)} s · Ctrl-C ends it`,
    '',
    row(
      'read',
      `${count(progress.inRate)}/s`,
      `${count(hub.ledger.accepted)} samples, ${count(hub.ledger.dropped)} dropped`,
    ),
    row('stored', count(hub.ledger.delivered), `${count(hub.batches.stored)} batches, ${size(hub.batches.bytes)}`),
    row('analysed', `${count(progress.outRate)}/s`, `${count(processor.ledger.settled)} samples settled`),
    row('backlog', count(processor.backlog.samples), `${processor.shardsOwned} shards owned`),
    row('latency p50', ms(processor.latencyP50Ms), 'from reading to finding'),
    row('latency p99', ms(processor.latencyP99Ms)),
    row('findings', count(processor.findings.written)),
    ...byHandler.map(([handler, written]) => row('', count(written), handler)),
    '',
    hub.latest
      ? `  latest: ${hub.latest.device}/${hub.latest.channel} ${hub.latest.value.toFixed(2)} ${hub.latest.unit}`
      : '',
    `  hub ${urls.hub}/status   processor ${urls.processor}/findings`,
  ].join('\n')
}

/** The account of the whole run, sample by sample. */
export function finalLedger(hub: HubFigures, processor: ProcessorFigures): { text: string; isBalanced: boolean } {
  const [accepted, settled] = [hub.ledger, processor.ledger]
  const isBalanced = hubImbalance(accepted) === 0 && processorImbalance(settled) === 0
  const text = [
    `hub        accepted ${count(accepted.accepted)} = delivered ${count(accepted.delivered)} + in flight ${count(accepted.inFlight)} + dropped ${count(accepted.dropped)}`,
    `processor  leased ${count(settled.leased)} = settled ${count(settled.settled)} + in flight ${count(settled.inFlight)} + dead ${count(settled.deadLettered)} + retried ${count(settled.retried)} + left to the next owner ${count(settled.released)}`,
    `store      ${count(processor.backlog.samples)} samples waiting · findings written ${count(processor.findings.written)}`,
    isBalanced ? 'ledger balanced' : 'LEDGER NOT BALANCED: please report it with the logs',
  ].join('\n')
  return { text, isBalanced }
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-GB')
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`
}
