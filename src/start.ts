/** `npm start`: hub and processor on the embedded store, with the devices of `deploy/demo.yaml`, and what they do. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { HubFigures } from './hub/hub-figures.js'
import type { ProcessorFigures } from './processor/processor-figures.js'
import { ChildProgram } from './start/child-program.js'
import { finalLedger, type Progress, progressLine, progressScreen } from './start/progress.js'

const SCREEN_INTERVAL_MS = 500
const LINE_INTERVAL_MS = 1000
/** Ctrl-C to the end, over both programs; each has its share. */
const HUB_STOP_MS = 1800
const SETTLE_MS = 700
const PROCESSOR_STOP_MS = 1800

const root = join(import.meta.dirname, '..')
const data = process.env.TELEMETRY_DATA ?? 'telemetryhub-data'
mkdirSync(data, { recursive: true })

const extra = process.argv.slice(2)
const program = <Figures>(name: string, config: readonly string[]) =>
  new ChildProgram<Figures>(name, join(import.meta.dirname, `${name}.js`), [
    ...config,
    ...['--data', data, '--log-file', join(data, `${name}.log`)],
  ])
const hub = program<HubFigures>('hub', ['--config', join(root, 'deploy', 'demo.yaml'), ...extra])
const processor = program<ProcessorFigures>('processor', [])

const startedMs = performance.now()
const interactive = process.stdout.isTTY === true
let shown: { atMs: number; accepted: number; settled: number } | undefined
let stopping = false
let isAnnounced = false

const timer = setInterval(show, interactive ? SCREEN_INTERVAL_MS : LINE_INTERVAL_MS)
process.on('SIGINT', () => void stop())
process.on('SIGTERM', () => void stop())
void hub.ended().then((code) => endedUnasked(hub, code))
void processor.ended().then((code) => endedUnasked(processor, code))
if (!interactive) console.log(`TelemetryHub: starting hub and processor, logs in ${data}/. Ctrl-C ends both.`)

function show(): void {
  const [hubFigures, processorFigures] = [hub.figures, processor.figures]
  if (stopping || hubFigures === undefined || processorFigures === undefined) return
  const nowMs = performance.now()
  const { accepted } = hubFigures.ledger
  const { settled } = processorFigures.ledger
  const seconds = (nowMs - (shown?.atMs ?? startedMs)) / 1000
  const progress: Progress = {
    elapsedS: (nowMs - startedMs) / 1000,
    hub: hubFigures,
    processor: processorFigures,
    inRate: (accepted - (shown?.accepted ?? 0)) / seconds,
    outRate: (settled - (shown?.settled ?? 0)) / seconds,
  }
  shown = { atMs: nowMs, accepted, settled }
  const urls = { hub: hub.url!, processor: processor.url! }
  if (interactive) process.stdout.write(`\x1b[H\x1b[J${progressScreen(progress, urls)}\n`)
  else {
    if (!isAnnounced) console.log(`${urls.hub}/status · ${urls.processor}/findings`)
    isAnnounced = true
    console.log(progressLine(progress))
  }
}

/** The hub first, so that what it still holds is stored; the processor when it has had time to analyse that. */
async function stop(): Promise<void> {
  if (stopping) return
  stopping = true
  clearInterval(timer)
  const hubCode = await hub.stop(HUB_STOP_MS)
  await backlogEmpty(SETTLE_MS)
  const processorCode = await processor.stop(PROCESSOR_STOP_MS)
  if (hub.figures === undefined || processor.figures === undefined) process.exit(hubCode || processorCode || 1)
  const { text, isBalanced } = finalLedger(hub.figures, processor.figures)
  console.log(`\n${text}`)
  process.exit(hubCode || processorCode || (isBalanced ? 0 : 1))
}

async function backlogEmpty(deadlineMs: number): Promise<void> {
  const untilMs = performance.now() + deadlineMs
  while (performance.now() < untilMs && !processor.hasEnded && processor.figures?.backlog.samples !== 0) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function endedUnasked({ name, errorText }: ChildProgram<unknown>, code: number): Promise<void> {
  if (stopping) return
  stopping = true
  clearInterval(timer)
  console.error(errorText.trim() || `The ${name} ended with code ${code}: see ${join(data, `${name}.log`)}.`)
  await Promise.all([hub.stop(HUB_STOP_MS), processor.stop(PROCESSOR_STOP_MS)])
  process.exit(code || 1)
}
