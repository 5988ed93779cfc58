/** Reads recordings, also those that a crash has torn. */
import { open } from 'node:fs/promises'
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import { isTree } from '#core/options/config-source'
import { RECORDING_VERSION, type RecordedLine, type RecordingHeader } from './recording-format.js'

/** Longer lines are not ours: the largest acquisition of a chip is a few kilobytes. */
const MAX_LINE_CHARACTERS = 2 ** 20

export interface Recording {
  readonly header: RecordingHeader
  /** As they were written; each with the setup that holds for it. */
  readonly lines: AsyncIterable<RecordedLine & { readonly setup: string }>
  /** After the last line: how many were no lines of a recording, a torn one at the end among them. */
  readonly damaged: () => number
}

/** @throws TLM_OPTIONS_INVALID there is no such file, or it is no recording that this version can read */
export async function readRecording(file: string): Promise<Recording> {
  const texts = linesIn(file)
  const first = await texts.next()
  const header = first.done ? undefined : parse(first.value)
  if (!isTree(header) || typeof header.telemetryhub_recording !== 'number' || !isTree(header.devices)) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', `${file} is no recording: its first line does not say so.`)
  }
  if (header.telemetryhub_recording > RECORDING_VERSION) {
    const text = `${file} is a recording of version ${header.telemetryhub_recording}, this hub reads ${RECORDING_VERSION}: update it.`
    throw new TelemetryError('TLM_OPTIONS_INVALID', text)
  }
  let damaged = 0
  async function* lines() {
    const setups = new Map<string, string>()
    for await (const text of texts) {
      const line = parse(text)
      if (!isLine(line)) {
        damaged++
        continue
      }
      const setup = line.setup ?? setups.get(line.device) ?? ''
      setups.set(line.device, setup)
      yield { ...line, setup }
    }
  }
  return { header: header as unknown as RecordingHeader, lines: lines(), damaged: () => damaged }
}

/** Line by line: a recording may be larger than memory. A last line without its end comes, too. */
async function* linesIn(file: string): AsyncGenerator<string> {
  const handle = await open(file).catch((error: unknown) => {
    throw new TelemetryError('TLM_OPTIONS_INVALID', `${file} cannot be read: ${messageOf(error)}`)
  })
  let rest = ''
  try {
    for await (const chunk of handle.createReadStream({ encoding: 'utf8', autoClose: false })) {
      const lines = (rest + (chunk as string)).split('\n')
      rest = lines.pop()!.slice(0, MAX_LINE_CHARACTERS)
      yield* lines
    }
    if (rest !== '') yield rest
  } finally {
    await handle.close()
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isLine(line: unknown): line is RecordedLine {
  if (!isTree(line)) return false
  const { device, takenAtUs, raw, setup, readings } = line
  const isHex = (text: unknown) => typeof text === 'string' && /^(?:[\da-f]{2})*$/.test(text)
  return (
    typeof device === 'string' &&
    typeof takenAtUs === 'number' &&
    isHex(raw) &&
    (setup === undefined || isHex(setup)) &&
    (readings === undefined || Array.isArray(readings))
  )
}
